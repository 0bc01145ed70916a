package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/test/fault"
)

// The flags with which the Makefile builds stephost, without cgo; the programs
// that it is compared with get the same.
const ldflags = "-s -w"

// Lab is where the benchmarks work. Safe for concurrent use.
type Lab struct {
	// Root is the repository.
	Root string
	// Dir is the temporary directory.
	Dir string
	// Stephost and Local are the programs under test, as `make build` leaves
	// them.
	Stephost, Local string

	mu       sync.Mutex
	built    map[string]string
	programs *fault.Programs
}

// New makes a lab for the repository at root. below is the directory for
// temporary files; "" = the system's.
func New(root, below string) (*Lab, error) {
	if _, err := os.Stat(filepath.Join(root, "test", "bench", "internal", "lab")); err != nil {
		return nil, fmt.Errorf("run this in the root of the repository: %w", err)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	// The name is short because sockets lie below.
	dir, err := os.MkdirTemp(below, "sb")
	if err != nil {
		return nil, err
	}
	return &Lab{
		Root: root, Dir: dir, built: map[string]string{},
		Stephost: filepath.Join(root, "bin", "stephost"),
		Local:    filepath.Join(root, "bin", "plugins", "stephost-flavor-local"),
	}, nil
}

// Close removes everything.
func (l *Lab) Close() error {
	// The module cache's files are read-only, and so may be what a run left.
	return os.RemoveAll(l.Dir)
}

// TempDir is a new directory.
func (l *Lab) TempDir(name string) (string, error) { return os.MkdirTemp(l.Dir, name) }

// Build builds a program of test/bench/cmd and returns its path.
func (l *Lab) Build(ctx context.Context, name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if path := l.built[name]; path != "" {
		return path, nil
	}
	path := filepath.Join(l.Dir, "bin", name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", ldflags, "-o", path, "./test/bench/cmd/"+name)
	cmd.Dir, cmd.Env = l.Root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", name, err, out)
	}
	l.built[name] = path
	return path, nil
}

// Need says that the programs under test are there.
func (l *Lab) Need(paths ...string) error {
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			return errors.Join(err, errors.New("run `make build` first"))
		}
	}
	return nil
}

// Place is a home with the environment for stephost's commands in it.
type Place struct {
	Home home.Home
	Env  []string
	// Dir holds the home and everything else that lies in a user's directory.
	Dir string
}

// Place makes a new, empty one.
func (l *Lab) Place() (*Place, error) {
	dir, err := l.TempDir("h")
	if err != nil {
		return nil, err
	}
	p := &Place{Dir: dir, Home: home.At(filepath.Join(dir, "home"))}
	env := map[string]string{
		home.EnvVar:       p.Home.Root(),
		"HOME":            dir,
		"PATH":            os.Getenv("PATH"),
		"LANG":            "C.UTF-8",
		"XDG_STATE_HOME":  filepath.Join(dir, "state"),
		"XDG_CACHE_HOME":  filepath.Join(dir, "cache"),
		"XDG_DATA_HOME":   filepath.Join(dir, "data"),
		"XDG_CONFIG_HOME": filepath.Join(dir, "config"),
	}
	if tmp := os.Getenv("TMPDIR"); tmp != "" {
		env["TMPDIR"] = tmp
	}
	for k, v := range env {
		p.Env = append(p.Env, k+"="+v)
	}
	return p, nil
}

// Faults builds the fault flavor and its backend.
func (l *Lab) Faults(ctx context.Context) (*fault.Programs, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.programs != nil {
		return l.programs, nil
	}
	if err := os.Setenv(fault.EnvCache, filepath.Join(l.Dir, "fault")); err != nil {
		return nil, err
	}
	p, err := fault.Build(ctx)
	if err != nil {
		return nil, err
	}
	l.programs = p
	return p, nil
}
