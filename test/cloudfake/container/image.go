// Package container runs jobs of the fakes in the images that stephost built.
//
// Invariants:
//
//   - only images of a registry on this machine are pulled, and only where the
//     machine permits to run in them; anything else stands for the machine's own
//     file system;
//   - nothing is written outside of the directory that an image is unpacked to.
package container

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stephost/stephost/test/cloudfake"
)

// Image is an unpacked image: a container runs in its file system.
type Image struct {
	// Root is its directory.
	Root   string
	config *v1.ConfigFile
}

// Pull unpacks an image for one container; nil = it is not to be pulled.
func Pull(ctx context.Context, reference, root string) (*Image, error) {
	if !strings.HasPrefix(reference, "127.0.0.1:") || !cloudfake.CanChroot() {
		return nil, nil
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	files := mutate.Extract(img)
	defer files.Close()
	if err := unpack(files, root); err != nil {
		return nil, err
	}
	return &Image{Root: root, config: config}, nil
}

// unpack writes the files of an image below root, and nowhere else.
func unpack(files io.Reader, root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	inside, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer inside.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := strings.TrimPrefix(filepath.Clean("/"+h.Name), "/")
		if path == "" {
			continue
		}
		if dir := filepath.Dir(path); dir != "." {
			if err := inside.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = inside.MkdirAll(path, 0o755)
		case tar.TypeSymlink:
			err = inside.Symlink(h.Linkname, path)
		case tar.TypeLink:
			err = inside.Link(strings.TrimPrefix(filepath.Clean("/"+h.Linkname), "/"), path)
		case tar.TypeReg:
			err = writeFile(inside, path, h.FileInfo().Mode().Perm(), r)
		}
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", h.Name, err)
		}
	}
}

func writeFile(root *os.Root, path string, mode os.FileMode, from io.Reader) error {
	f, err := root.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// Command makes the command of a container in the image.
func (i *Image) Command(argv []string, env map[string]string) cloudfake.Command {
	all := map[string]string{}
	for _, kv := range i.config.Config.Env {
		k, v, _ := strings.Cut(kv, "=")
		all[k] = v
	}
	for k, v := range env {
		all[k] = v
	}
	dir := i.config.Config.WorkingDir
	if dir == "" {
		dir = "/"
	}
	return cloudfake.Command{Argv: argv, Env: all, Root: i.Root, Dir: dir}
}
