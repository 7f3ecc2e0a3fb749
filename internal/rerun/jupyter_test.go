package rerun

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestInstallKernelNeedsNoJupyter(t *testing.T) {
	data := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", data)
	told, err := InstallKernel(context.Background(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "kernels", "kvarter", "kernel.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var spec kernelSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if spec.Language != "go" || spec.InterruptMode != "message" ||
		strings.Join(spec.Argv[1:], " ") != "--kernel {connection_file} -go_work="+repo {
		t.Errorf("kernel.json = %s", text)
	}
	if version, err := exec.Command(spec.Argv[0], "-V").Output(); err != nil || len(version) == 0 {
		t.Errorf("%s -V = %q, %v", spec.Argv[0], version, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(spec.Argv[0]), "goimports")); err != nil ||
		!strings.HasPrefix(spec.Env["PATH"], filepath.Dir(spec.Argv[0])) {
		t.Errorf("goimports is not on the kernel's PATH %q: %v", spec.Env["PATH"], err)
	}
	for _, want := range []string{file, "jupyter lab notebooks", "go run .", spec.DisplayName} {
		if !strings.Contains(told, want) {
			t.Errorf("the user is not told %q:\n%s", want, told)
		}
	}
	if _, err := InstallKernel(context.Background(), t.TempDir()); err == nil ||
		!strings.Contains(err.Error(), "no go.mod") {
		t.Errorf("error = %v", err)
	}
}

func TestJupyterDataDir(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the folders are those of Linux")
	}
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("JUPYTER_DATA_DIR", "")
	t.Setenv("XDG_DATA_HOME", "/data")
	for _, test := range []struct{ variable, value, want string }{
		{"XDG_DATA_HOME", "/data", "/data/jupyter"},
		{"XDG_DATA_HOME", "", "/home/somebody/.local/share/jupyter"},
		{"JUPYTER_DATA_DIR", "/own", "/own"},
	} {
		t.Setenv(test.variable, test.value)
		dir, err := jupyterDataDir()
		if err != nil {
			t.Fatal(err)
		}
		if dir != test.want {
			t.Errorf("with %s=%q the folder is %s, want %s", test.variable, test.value, dir, test.want)
		}
	}
}
