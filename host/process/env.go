package process

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/stephost/stephost/internal/failpoint"
	"github.com/stephost/stephost/internal/gcstart"
	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// Baseline are the variables that every plugin gets when the host has them: what
// the login chain of a cloud, a credential helper on the PATH, TLS roots, proxies
// and a place for temporary files need. Names with * are patterns. A fresh slice
// at every call.
func Baseline() []string {
	return []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL",
		"TMPDIR", "TEMP", "TMP",
		"LANG", "LANGUAGE", "LC_*", "TZ",
		"XDG_*", "KRB5CCNAME",
		"SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
		"http_proxy", "https_proxy", "all_proxy", "no_proxy",
		// Windows: without SYSTEMROOT there are no sockets.
		"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT",
		"USERPROFILE", "USERNAME", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH",
		"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "ALLUSERSPROFILE",
		"PROGRAMFILES", "PROGRAMFILES(X86)", "COMMONPROGRAMFILES",
		"NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
	}
}

// CheckPassEnv tells what is wrong with the patterns of a pass_env, or nil.
func CheckPassEnv(patterns []string) error {
	for _, p := range patterns {
		if strings.Trim(p, "*?") == "" {
			return fmt.Errorf("pass_env %q would pass the whole environment; name the variables or a prefix, for example \"AWS_*\"", p)
		}
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pass_env %q is no pattern: %w", p, err)
		}
		if strings.ContainsAny(p, "=\x00/") {
			return fmt.Errorf("pass_env %q is no name of a variable", p)
		}
	}
	return nil
}

// environment picks the variables for a plugin from the host's. What the start
// protocol uses is never taken from there, whatever passEnv says.
func environment(host, passEnv []string) []string {
	patterns := slices.Concat(Baseline(), passEnv)
	picked := make([]string, 0, 32)
	own := false
	for _, kv := range host {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" || reserved(name) {
			continue
		}
		if slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) }) {
			picked = append(picked, kv)
			own = own || name == gcstart.Name
		}
	}
	if !own {
		picked = append(picked, gcstart.Environ())
	}
	return append(picked, failpoint.Environ()...)
}

// reserved are the names with which a host, or a host above this one, starts a
// plugin. STEPHOST_HOME and the like belong to the host alone.
func reserved(name string) bool {
	return strings.HasPrefix(name, "PLUGIN_") || name == lifeline.EnvFD || name == lifeline.CookieKey
}

func matches(pattern, name string) bool {
	if runtime.GOOS == "windows" {
		pattern, name = strings.ToUpper(pattern), strings.ToUpper(name)
	}
	if !strings.ContainsAny(pattern, "*?[\\") {
		return pattern == name
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func (o *Options) environ() []string {
	if o.Environ != nil {
		return o.Environ()
	}
	return os.Environ()
}
