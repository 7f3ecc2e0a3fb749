package rerun

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// kernelName is the name of the kernel in Jupyter, and of its folder.
const kernelName = "kvarter"

// kernelSpec is Jupyter's kernel.json.
type kernelSpec struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
	Metadata      object            `json:"metadata"`
}

// InstallKernel installs a Jupyter kernel for the module in the folder repo: it builds the
// kernel's programs into the user's cache folder and writes a kernel.json where Jupyter looks
// for it. Neither Jupyter nor Python has to be there yet. It returns what to tell the user.
func InstallKernel(ctx context.Context, repo string) (told string, err error) {
	if repo, err = filepath.Abs(repo); err != nil {
		return "", err
	}
	data, err := jupyterDataDir()
	if err != nil {
		return "", err
	}
	tools, err := buildKernel(ctx, repo, kernelDir())
	if err != nil {
		return "", err
	}
	goProgram, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	spec := kernelSpec{
		Argv:          []string{tools.program("gonb"), "--kernel", "{connection_file}", "-go_work=" + repo},
		DisplayName:   "Kvarter (Go)",
		Language:      "go",
		InterruptMode: "message",
		// Jupyter replaces ${PATH}. Started from a desktop, it may not know where go is.
		Env: map[string]string{"PATH": strings.Join([]string{tools.dir, filepath.Dir(goProgram), "${PATH}"},
			string(filepath.ListSeparator)), "GOWORK": ""},
		Metadata: object{"repository": repo},
	}
	folder := filepath.Join(data, "kernels", kernelName)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(spec); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fault.Unavailablef("the kernel cannot be installed: %w", err)
	}
	file := filepath.Join(folder, "kernel.json")
	if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
		return "", fault.Unavailablef("the kernel cannot be installed: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Installed the Jupyter kernel %q (%s):\n  %s\n  with its programs in %s\n\n", kernelName,
		spec.DisplayName, file, tools.dir)
	if _, err := exec.LookPath("jupyter"); err != nil {
		b.WriteString("Jupyter itself is not on the PATH yet. One way to get it:\n  pip install jupyterlab\n\n")
	}
	fmt.Fprintf(&b, `Then, in two terminals in %s:
  go run .
  jupyter lab notebooks

Open a notebook and choose the kernel %q. In VS Code, choose it under
"Select Kernel", "Jupyter Kernel". If the server is elsewhere than on
http://127.0.0.1:8080, say so before starting Jupyter:
  export KVARTER_URL=http://HOST:PORT/graphql
`, repo, spec.DisplayName)
	return b.String(), nil
}

// jupyterDataDir is the user's folder for Jupyter's data, as jupyter_core finds it.
func jupyterDataDir() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fault.Unavailablef("the folder for Jupyter kernels is not known: %w; set JUPYTER_DATA_DIR", err)
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Jupyter"), nil
	case "windows":
		if dir := os.Getenv("APPDATA"); dir != "" {
			return filepath.Join(dir, "jupyter"), nil
		}
		return filepath.Join(home, "AppData", "Roaming", "jupyter"), nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "jupyter"), nil
	}
	return filepath.Join(home, ".local", "share", "jupyter"), nil
}
