package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// recipe changes whenever what is done with the packages changes.
const recipe = "stephost/test-base/3"

// baseDebs are what the base image is asked to have; apt adds what they need.
// pip is there for the builds that stephost is compared with.
var baseDebs = [...]string{"python3", "python3-pip", "python3-six", "python3-yaml", "libstdc++6", "dash", "coreutils", "base-files", "tzdata", "libc-bin"}

// Base is a base image made of Debian's packages.
type Base struct {
	v1.Image
	// Python is the version of its interpreter, "3.11"; Interpreter its path.
	Python, Interpreter string
}

// MakeBase makes the base image, or takes it from the cache in dir. more are further
// packages of Debian that it has.
func MakeBase(ctx context.Context, dir string, more ...string) (*Base, error) {
	want := append(baseDebs[:], more...)
	debs, err := listDebs(ctx, dir, want)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintln(h, recipe)
	for _, d := range debs {
		fmt.Fprintln(h, d)
	}
	name := filepath.Join(dir, "base-"+hex.EncodeToString(h.Sum(nil))[:32]+".tar.gz")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		err = buildTar(ctx, dir, name, want, debs)
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromFile(name)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	cfg.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	cfg.Config.Cmd = []string{"python3"}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return nil, err
	}
	b := &Base{Image: img}
	for _, d := range debs {
		if version, ok := strings.CutPrefix(d, "python3_"); ok {
			parts := strings.Split(version, ".")
			b.Python, b.Interpreter = strings.Join(parts[:2], "."), "/usr/bin/python"+strings.Join(parts[:2], ".")
		}
	}
	return b, nil
}

// aptState makes apt think that nothing is installed.
func aptState(dir string) ([]string, error) {
	status := filepath.Join(dir, "apt-status")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return nil, err
	}
	return []string{"-o", "Dir::State::status=" + status, "-o", "Debug::NoLocking=1", "-o", "APT::Install-Recommends=0", "-o", "APT::Sandbox::User=root"}, nil
}

// listDebs asks apt for the files: name, size and (not for every archive) hash.
func listDebs(ctx context.Context, dir string, want []string) ([]string, error) {
	options, err := aptState(dir)
	if err != nil {
		return nil, err
	}
	argv := append([]string{"install", "-qq", "--print-uris"}, options...)
	out, err := output(exec.CommandContext(ctx, "apt-get", append(argv, want...)...))
	if err != nil {
		// A machine that never asked for lists has none.
		if _, uerr := output(exec.CommandContext(ctx, "apt-get", "update", "-qq")); uerr != nil {
			return nil, errors.Join(err, uerr)
		}
		if out, err = output(exec.CommandContext(ctx, "apt-get", append(argv, want...)...)); err != nil {
			return nil, err
		}
	}
	var debs []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) >= 3 && strings.HasSuffix(f[1], ".deb") {
			debs = append(debs, strings.Join(f[1:], " "))
		}
	}
	if len(debs) == 0 {
		return nil, fmt.Errorf("apt-get names no packages: %s", out)
	}
	slices.Sort(debs)
	return debs, nil
}

// buildTar fetches and unpacks the packages, and makes one tar of them. It is kept
// compressed: whoever pushes it, which every test does, would compress it anew.
func buildTar(ctx context.Context, dir, name string, want, debs []string) error {
	work, err := os.MkdirTemp(dir, "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	archives := filepath.Join(work, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return err
	}
	options, err := aptState(dir)
	if err != nil {
		return err
	}
	argv := append([]string{"install", "-qq", "-y", "--download-only", "-o", "Dir::Cache::archives=" + archives}, options...)
	if _, err := output(exec.CommandContext(ctx, "apt-get", append(argv, want...)...)); err != nil {
		return err
	}
	root := filepath.Join(work, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, d := range debs {
		file, _, _ := strings.Cut(d, " ")
		if file, err = pathUnescaped(archives, file); err != nil {
			return err
		}
		if _, err := output(exec.CommandContext(ctx, "dpkg-deb", "-x", file, root)); err != nil {
			return err
		}
	}
	for path, text := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
		"etc/group":         "root:x:0:\nnogroup:x:65534:\n",
		"etc/nsswitch.conf": "hosts: files dns\n",
	} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, junk := range []string{"usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian"} {
		if err := os.RemoveAll(filepath.Join(root, junk)); err != nil {
			return err
		}
	}
	if err := writeTar(root, name+".new"); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// pathUnescaped finds a file that apt names with "%3a" in its list and on disk.
func pathUnescaped(dir, name string) (string, error) {
	for _, try := range []string{name, strings.ReplaceAll(name, "%3A", "%3a")} {
		if p := filepath.Join(dir, try); exists(p) {
			return p, nil
		}
	}
	plain, err := url.PathUnescape(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, plain), nil
}

func exists(name string) bool { _, err := os.Lstat(name); return err == nil }

// writeTar writes a tree, sorted, without times and owners, with numbers alone.
func writeTar(root, name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if fi.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(fi, link)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		clean := tar.Header{Typeflag: h.Typeflag, Name: rel, Linkname: h.Linkname, Size: h.Size, Mode: h.Mode, Format: tar.FormatPAX}
		if d.IsDir() {
			clean.Name += "/"
		}
		if err := w.WriteHeader(&clean); err != nil || !fi.Mode().IsRegular() {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(w.Close(), z.Close())
}

// output runs a tool; its error has what the tool said.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s%s", strings.Join(cmd.Args[:min(3, len(cmd.Args))], " "), err, out, stderr.Bytes())
	}
	return out, nil
}
