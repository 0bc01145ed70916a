package fake

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

// image is an unpacked image: a container runs in its file system. Images of a
// registry on this machine are pulled where the machine permits to use them; any
// other reference stands for the machine's own file system.
type image struct {
	root   string
	config *v1.ConfigFile
}

// pull unpacks an image for one replica of a job; nil = it is not to be pulled.
func pull(ctx context.Context, reference, root string) (*image, error) {
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
	return &image{root: root, config: config}, os.MkdirAll(filepath.Join(root, "gcs", Bucket), 0o777)
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

// command makes the command of a container in the image.
func (i *image) command(argv []string, env map[string]string) cloudfake.Command {
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
	return cloudfake.Command{Argv: argv, Env: all, Root: i.root, Dir: dir}
}

// collect takes what the container wrote into its mounted buckets.
func (o *objects) collect(root string) error {
	from := filepath.Join(root, "gcs")
	if _, err := os.Stat(from); err != nil {
		return nil
	}
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(o.root, rel)
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
}
