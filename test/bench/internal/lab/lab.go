package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/test/fault"
)

// Lab is where the benchmarks work. Safe for concurrent use.
type Lab struct {
	// Root is the repository.
	Root string
	// Dir is the temporary directory.
	Dir string
	// Stephost and Local are copies of the programs under test, beside each
	// other as an installation has them.
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
	l := &Lab{
		Root: root, Dir: dir, built: map[string]string{},
		Stephost: filepath.Join(dir, "bin", exe("stephost")),
		Local:    filepath.Join(dir, "bin", "plugins", exe("stephost-flavor-local")),
	}
	if err := l.installAll(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// installAll copies what `make build` has made.
func (l *Lab) installAll() error {
	for _, to := range []string{l.Stephost, l.host(), l.Local} {
		name, err := filepath.Rel(l.Dir, to)
		if err != nil {
			return err
		}
		if err := install(filepath.Join(l.Root, name), to); err != nil {
			return fmt.Errorf("%w (run `make build` first)", err)
		}
	}
	return nil
}

// host is what stephost goes on as for everything that starts a plugin.
func (l *Lab) host() string { return filepath.Join(filepath.Dir(l.Stephost), exe("stephost-host")) }

// Installed is a copy of the plugin of a flavor that `make build` has made.
func (l *Lab) Installed(flavor string) (string, error) {
	name := filepath.Join("bin", "plugins", exe("stephost-flavor-"+flavor))
	to := filepath.Join(l.Dir, name)
	return to, install(filepath.Join(l.Root, name), to)
}

// install copies a program, as an installer does. What the linker has just
// written lies in the kernel's cache in small pieces, and starting it costs a
// millisecond more than starting the same bytes written in one go.
func install(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o700)
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// Close removes everything.
func (l *Lab) Close() error { return os.RemoveAll(l.Dir) }

// TempDir is a new directory.
func (l *Lab) TempDir(name string) (string, error) { return os.MkdirTemp(l.Dir, name) }

// Build builds a program of test/bench/cmd, as stephost is built, and returns its path.
func (l *Lab) Build(ctx context.Context, name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if path := l.built[name]; path != "" {
		return path, nil
	}
	path, linked := filepath.Join(l.Dir, "bin", exe(name)), filepath.Join(l.Dir, "linked", exe(name))
	if err := gobuild.Build(ctx, gobuild.Program{Dir: l.Root, Pkg: "./test/bench/cmd/" + name, Out: linked}); err != nil {
		return "", err
	}
	if err := install(linked, path); err != nil {
		return "", err
	}
	l.built[name] = path
	return path, nil
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
