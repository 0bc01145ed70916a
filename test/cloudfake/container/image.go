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
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stephost/stephost/test/cloudfake"
)

// Image is an image of a registry; each container runs in files of its own.
type Image struct {
	image  v1.Image
	config *v1.ConfigFile
}

// Pull asks a registry for an image; a nil Image = it is not to be pulled. login
// may be nil.
func Pull(ctx context.Context, reference string, login authn.Authenticator) (*Image, error) {
	if !strings.HasPrefix(reference, "127.0.0.1:") || !cloudfake.CanChroot() {
		return nil, nil
	}
	if login == nil {
		login = authn.Anonymous
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	// Layers are read when the image is unpacked, long behind this call.
	image, err := remote.Image(ref, remote.WithContext(context.WithoutCancel(ctx)), remote.WithAuth(login))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	return &Image{image: image, config: config}, nil
}

// Entrypoint of the image.
func (i *Image) Entrypoint() []string { return i.config.Config.Entrypoint }

// Unpack writes the files of the image below root; a nil Image has none.
func (i *Image) Unpack(root string) error {
	if i == nil {
		return nil
	}
	files := mutate.Extract(i.image)
	defer files.Close()
	return unpack(files, root)
}

// Command makes the command of a container in the files below root: the image's
// variables, with env over them, and its working directory.
func (i *Image) Command(root string, argv []string, env map[string]string) cloudfake.Command {
	all := map[string]string{}
	for _, kv := range i.config.Config.Env {
		k, v, _ := strings.Cut(kv, "=")
		all[k] = v
	}
	maps.Copy(all, env)
	dir := i.config.Config.WorkingDir
	if dir == "" {
		dir = "/"
	}
	return cloudfake.Command{Argv: argv, Env: all, Root: root, Dir: dir}
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
		if err := unpackOne(inside, h, r); err != nil {
			return fmt.Errorf("unpacking %s: %w", h.Name, err)
		}
	}
}

func unpackOne(inside *os.Root, h *tar.Header, from io.Reader) error {
	path := within(h.Name)
	if path == "" {
		return nil
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := inside.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return inside.MkdirAll(path, 0o755)
	case tar.TypeSymlink:
		return inside.Symlink(h.Linkname, path)
	case tar.TypeLink:
		return inside.Link(within(h.Linkname), path)
	case tar.TypeReg:
		f, err := inside.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, h.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, from)
		return errors.Join(err, f.Close())
	}
	return nil
}

// within is a name of a layer as a path below the root.
func within(name string) string { return strings.TrimPrefix(filepath.Clean("/"+name), "/") }
