package rerun

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// What of the caller's environment the kernel gets: where programs, the user's folders and the
// network are. Nothing else does, so that a locale, a time zone or a flag of Go set on one
// machine changes no output there.
var keptVariables = strings.Fields(`
	PATH HOME USER LOGNAME SHELL XDG_CACHE_HOME XDG_CONFIG_HOME
	LD_LIBRARY_PATH DYLD_LIBRARY_PATH
	HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE SSL_CERT_DIR
	SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERPROFILE APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES`)

// The settings of Go that say where modules come from and where things are kept. They may be
// set by `go env -w` as well as by the environment.
var keptGoSettings = strings.Fields(`
	GOPATH GOMODCACHE GOCACHE GOPROXY GONOPROXY GOPRIVATE GOSUMDB GONOSUMDB GOINSECURE GOVCS GOAUTH GOTOOLCHAIN
	CC CXX`)

// environment is the one in which the kernel and its cells are built and run.
func environment(ctx context.Context) ([]string, error) {
	var env []string
	keep := func(names []string) {
		for _, name := range names {
			if value, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+value)
			}
		}
	}
	keep(keptVariables)
	asked := len(env)
	keep(append([]string{"GOENV"}, keptGoSettings...))
	cmd := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, keptGoSettings...)...)
	cmd.Env = env
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for its settings: %w", err)
	}
	var settings map[string]string
	if err := json.Unmarshal(text, &settings); err != nil {
		return nil, err
	}
	env = env[:asked]
	for _, name := range sortedKeys(settings) {
		if settings[name] != "" {
			env = append(env, name+"="+settings[name])
		}
	}
	// Every system has the locale C; programs of a shell cell complain of one that is not there.
	return append(env, "GOENV=off", "LC_ALL=C", "LANG=C", "TZ=UTC"), nil
}

// ownVariables are the caller's that name a server of this program.
func ownVariables() []string {
	var out []string
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "KVARTER_") {
			out = append(out, entry)
		}
	}
	return out
}
