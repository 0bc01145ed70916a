package requirements

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/host/environment/internal/group"
)

const (
	// probeLimit bounds one question to an interpreter: 20 ms as a rule, seconds
	// behind a shim or from a cold network disk. A hanging wrapper is skipped.
	probeLimit = 20 * time.Second
	// probes bounds how many candidates are asked: each costs a process.
	probes = 20
)

// probeScript asks an interpreter who it is. The base executable is what a
// virtual environment made by it will point to: when the first python on PATH
// is that of an activated virtual environment, that one may be deleted at any
// time.
const probeScript = `import sys, json, platform, sysconfig, os
import importlib.util as u
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({"executable": os.path.realpath(base), "version": platform.python_version(),
 "major": sys.version_info[0], "minor": sys.version_info[1],
 "implementation": sys.implementation.name, "platform": sysconfig.get_platform(),
 "libc": "-".join(platform.libc_ver()), "venv": bool(u.find_spec("venv") and u.find_spec("ensurepip"))}))`

// oldest is the oldest minor version of Python 3 that today's installers run on.
const oldest = 8

// Interpreter is a Python that can make virtual environments.
type Interpreter struct {
	// Path is its real path, outside any virtual environment.
	Path string `json:"executable"`
	// Version has three parts, as "3.11.7".
	Version        string `json:"version"`
	Major          int    `json:"major"`
	Minor          int    `json:"minor"`
	Implementation string `json:"implementation"`
	// Platform is sysconfig's name of system and machine.
	Platform string `json:"platform"`
	Libc     string `json:"libc"`
	// Venv says that its modules venv and ensurepip are there.
	Venv bool `json:"venv"`
}

// identity is the interpreter's part of a digest.
func (i *Interpreter) identity() []string {
	return []string{i.Path, i.Version, i.Implementation, i.Platform, i.Libc}
}

func (i *Interpreter) String() string { return "Python " + i.Version + " (" + i.Path + ")" }

var versionForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^3(\.\d{1,3}){0,2}$`) })

// findPython finds the interpreter that wanted names.
func findPython(ctx context.Context, env environ, dir, wanted string) (*Interpreter, error) {
	switch {
	case strings.ContainsAny(wanted, `/\`):
		path := absolute(dir, wanted)
		py, err := probe(ctx, env, path)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			return nil, noPython(wanted, []string{path + ": " + err.Error()})
		}
		return py, nil
	case wanted != "" && !versionForm().MatchString(wanted):
		e := invalid(fmt.Sprintf("python = %q is neither a version nor a path", wanted), nil)
		e.Next = `write a version like "3.11", or the path of an interpreter`
		return nil, e
	}
	var tried []string
	asked := 0
	for _, path := range env.candidates(wanted) {
		if asked == probes {
			break
		}
		asked++
		py, err := probe(ctx, env, path)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			tried = append(tried, path+": "+err.Error())
		case !versionFits(py.Version, wanted):
			tried = append(tried, path+": is Python "+py.Version)
		default:
			return py, nil
		}
	}
	if py, ok := askUV(ctx, env, wanted); ok {
		return py, nil
	}
	return nil, noPython(wanted, tried)
}

// versionFits: "3.11" fits 3.11.7 and not 3.1.
func versionFits(version, wanted string) bool {
	return wanted == "" || version == wanted || strings.HasPrefix(version, wanted+".")
}

// candidates are executables on PATH, the most telling names first, each place
// once.
func (e environ) candidates(wanted string) []string {
	names := []string{"python3", "python"}
	if parts := strings.Split(wanted, "."); len(parts) > 1 {
		names = append([]string{"python" + parts[0] + "." + parts[1]}, names...)
	}
	var found []string
	for _, name := range names {
		found = append(found, e.onPath(name)...)
	}
	return found
}

// onPath is every executable of that name on PATH, in order.
func (e environ) onPath(name string) []string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	var found []string
	seen := map[string]bool{}
	for _, dir := range filepath.SplitList(e["PATH"]) {
		if !filepath.IsAbs(dir) || seen[dir] { // a relative entry would depend on where one stands
			continue
		}
		seen[dir] = true
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() &&
			(runtime.GOOS == "windows" || fi.Mode()&0o111 != 0) {
			found = append(found, path)
		}
	}
	return found
}

// probe runs an interpreter once. -I keeps the current directory and the
// person's variables out of it.
func probe(ctx context.Context, env environ, path string) (*Interpreter, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeLimit, fmt.Errorf("no answer in %s", probeLimit))
	defer cancel()
	out, err := group.Run(ctx, group.Command{
		Argv: []string{path, "-I", "-S", "-c", probeScript}, Env: env.forTools("").list(), Capture: true,
	})
	if err != nil {
		if n := len(out.Tail); n > 0 && ctx.Err() == nil {
			err = errors.New(redact(out.Tail[n-1]))
		}
		return nil, err
	}
	py := &Interpreter{}
	if err := json.Unmarshal(out.Stdout, py); err != nil || !filepath.IsAbs(py.Path) {
		return nil, errors.New("does not answer like a Python 3")
	}
	if py.Major != 3 || py.Minor < oldest {
		return nil, fmt.Errorf("is Python %s, older than 3.%d", py.Version, oldest)
	}
	return py, nil
}

// askUV finds interpreters that uv manages, which are not on PATH.
func askUV(ctx context.Context, env environ, wanted string) (*Interpreter, bool) {
	uv := env.onPath("uv")
	if len(uv) == 0 {
		return nil, false
	}
	bounded, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	argv := []string{uv[0], "python", "find", "--no-project", "--no-python-downloads"}
	if wanted != "" {
		argv = append(argv, wanted)
	}
	out, err := group.Run(bounded, group.Command{Argv: argv, Env: env.forTools("").list(), Capture: true})
	if err != nil {
		return nil, false
	}
	py, err := probe(ctx, env, strings.TrimSpace(string(out.Stdout)))
	return py, err == nil && versionFits(py.Version, wanted)
}
