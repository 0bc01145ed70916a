// Package prebuilt builds the servers of other projects that tests run beside stephost,
// once for each state of their sources, into the user's cache directory. Test
// packages run at the same time, each in a process of its own: one of them builds,
// under a lock, and the others wait. A program appears whole, by rename.
package prebuilt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// buildBound is for the largest of them on a machine under load: four to
// seven minutes of two processors are normal for Kubernetes.
const buildBound = 30 * time.Minute

// lockEvery is how often a build by another process is asked after.
const lockEvery = 200 * time.Millisecond

// Program is a Go program that is built once for one state of its sources.
type Program struct {
	Name string
	Dir  string   // of its module
	Pkg  string   // within the module, or of one that it requires
	Hash []string // files and directories of the module that make it what it is
	Args func(ctx context.Context, dir string) ([]string, error)
	Env  []string
	// Release: instead of all that, packages of this module at its version.
	Release  string
	Packages []string
}

// Built is the path of the program, which it builds if that was never done.
func (p Program) Built(ctx context.Context) (string, error) {
	sum, err := p.sum()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "stephost-test", p.Name+"-"+sum)
	path := filepath.Join(dir, p.Name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, buildBound)
	defer cancel()
	// Test packages run at the same time; one of them builds.
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		return "", fmt.Errorf("waiting for another build of %s: %w", p.Name, err)
	}
	defer lock.Close()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if p.Release != "" {
		return path, p.install(ctx, dir)
	}
	args := []string{"build", "-trimpath", "-o", path + ".new"}
	if p.Args != nil {
		more, err := p.Args(ctx, p.Dir)
		if err != nil {
			return "", err
		}
		args = append(args, more...)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.Pkg)...)
	cmd.Dir, cmd.Env = p.Dir, append(os.Environ(), p.Env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", p.Name, err, text)
	}
	return path, os.Rename(path+".new", path)
}

// install builds the packages of a release. The one that is looked for is moved
// into place last.
func (p Program) install(ctx context.Context, dir string) error {
	fresh := filepath.Join(dir, "new")
	module, version, _ := strings.Cut(p.Release, "@")
	args := []string{"install", "-trimpath", "-ldflags", "-s -w"}
	for _, pkg := range p.Packages {
		args = append(args, module+"/"+pkg+"@"+version)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), p.Env...), "GOBIN="+fresh)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", p.Release, err, text)
	}
	for _, pkg := range slices.Backward(p.Packages) {
		name := filepath.Base(pkg)
		if err := os.Rename(filepath.Join(fresh, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.Remove(fresh)
}

// sum is a hash over the sources and the toolchain.
func (p Program) sum() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, p.Release)
	for _, name := range p.Hash {
		err := filepath.WalkDir(filepath.Join(p.Dir, name), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			fmt.Fprintln(h, filepath.Base(path))
			_, err = io.Copy(h, f)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// Repository is the root of the repository: the nearest directory above the
// current one that holds go.work.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.work was found above the current directory")
		}
		dir = filepath.Dir(dir)
	}
}
