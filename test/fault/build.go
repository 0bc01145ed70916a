package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/stephost/stephost/internal/gobuild"
	"github.com/stephost/stephost/test/fault/manifests"
)

// module is where the programs are built from.
const module = "github.com/stephost/stephost/test/fault"

// EnvCache names the directory for built programs; default: a directory of this
// user below os.TempDir.
const EnvCache = "STEPHOST_FAULT_CACHE"

// Programs are the built programs.
type Programs struct {
	// Backend is the path of fault-backend.
	Backend string
	// Plugins are the paths of the plugins, by variant. Beside each lies its
	// manifest, <path>.flavor.hcl.
	Plugins map[string]string
}

// Build builds the backend and the three plugins. The go tool leaves a program
// alone that is up to date, so a second call costs about a second; processes
// that build at the same time wait for each other. The files must not be
// changed: copy them with Install. tags are build tags.
func Build(ctx context.Context, tags ...string) (*Programs, error) {
	return build(ctx, manifests.Version, manifests.Variants(), tags)
}

// BuildVersion builds plugins of another version, which differ in nothing but
// that.
func BuildVersion(ctx context.Context, version string, variants ...string) (*Programs, error) {
	return build(ctx, version, variants, nil)
}

func build(ctx context.Context, version string, variants, tags []string) (*Programs, error) {
	dir, err := cacheDir(version, tags)
	if err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if err := lock.Lock(); err != nil {
		return nil, err
	}
	defer lock.Unlock() //nolint:errcheck // the end of the process unlocks as well
	p := &Programs{Backend: filepath.Join(dir, exe("fault-backend")), Plugins: map[string]string{}}
	if err := goBuild(ctx, gobuild.Program{Pkg: module + "/cmd/fault-backend", Out: p.Backend, Tags: tags}); err != nil {
		return nil, err
	}
	for _, v := range variants {
		if p.Plugins[v], err = buildPlugin(ctx, dir, v, version, tags); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// buildPlugin builds the plugin of a variant into dir, with its manifest beside
// it.
func buildPlugin(ctx context.Context, dir, variant, version string, tags []string) (string, error) {
	path := filepath.Join(dir, exe("stephost-flavor-"+manifests.Flavor(variant)))
	if err := goBuild(ctx, gobuild.Program{Pkg: module + "/flavor", Out: path, Tags: tags, LD: "-X main.variant=" + variant + " -X main.version=" + version}); err != nil {
		return "", err
	}
	manifest, err := manifests.ForVersion(variant, version)
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path+".flavor.hcl", manifest, 0o600)
}

// Install copies the plugin of a variant and its manifest into dir and returns
// the path of the copy, which a test may damage or register as it likes.
func (p *Programs) Install(dir, variant string) (string, error) {
	from, ok := p.Plugins[variant]
	if !ok {
		return "", fmt.Errorf("there is no fault flavor %q", variant)
	}
	to := filepath.Join(dir, filepath.Base(from))
	for path, mode := range map[string]os.FileMode{"": 0o700, ".flavor.hcl": 0o600} {
		data, err := os.ReadFile(from + path)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(to+path, data, mode); err != nil {
			return "", err
		}
	}
	return to, nil
}

func goBuild(ctx context.Context, p gobuild.Program) (err error) {
	if p.Dir, err = moduleRoot(); err != nil {
		return err
	}
	return gobuild.Build(ctx, p)
}

// moduleRoot is the directory of the root go.mod, as a test finds it from the
// source file of this package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "fault", "build.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("the source of %s was not found above the current directory", module)
		}
	}
}

// cacheDir is the directory of a version's programs.
func cacheDir(version string, tags []string) (string, error) {
	dir := os.Getenv(EnvCache)
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "stephost-fault-"+strconv.Itoa(os.Getuid()))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s can be written by others: programs from it are not run", dir)
	}
	dir = filepath.Join(dir, strings.Join(append([]string{version}, tags...), "-"))
	return dir, os.MkdirAll(dir, 0o700)
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
