package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// markImage is an empty image that is like no other.
func markImage(n int64) (v1.Image, error) {
	cfg, err := empty.Image.ConfigFile()
	if err != nil {
		return nil, err
	}
	cfg = cfg.DeepCopy()
	cfg.Config.Labels = map[string]string{"mark": fmt.Sprint(n)}
	return mutate.ConfigFile(empty.Image, cfg)
}

// Ran is how a container ended.
type Ran struct {
	Output string // stdout and stderr
	Code   int
}

// Bundle is an image laid out for runc.
type Bundle struct {
	dir    string
	config v1.Config
	n      int
}

// Unpack lays an image out below dir.
func Unpack(dir string, img v1.Image) (*Bundle, error) {
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	b := &Bundle{config: cfg.Config}
	if b.dir, err = os.MkdirTemp(dir, "bundle-"); err != nil {
		return nil, err
	}
	root := filepath.Join(b.dir, "rootfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, err
	}
	flat := mutate.Extract(img)
	defer flat.Close()
	cmd := exec.Command("tar", "-x", "--numeric-owner", "-p", "-C", root)
	cmd.Stdin = flat
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tar: %w: %s", err, out)
	}
	return b, nil
}

// Run runs argv in it, behind the image's entrypoint, as a container runtime
// does. More variables may be given.
func (b *Bundle) Run(ctx context.Context, argv []string, env ...string) (*Ran, error) {
	cwd := b.config.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	b.n++
	id := fmt.Sprintf("stephost-test-%d-%s-%d", os.Getpid(), filepath.Base(b.dir), b.n)
	data, err := json.Marshal(spec(id, slices.Concat(b.config.Entrypoint, argv), slices.Concat(b.config.Env, env), cwd))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "config.json"), data, 0o600); err != nil {
		return nil, err
	}
	state := filepath.Join(b.dir, "state")
	cmd := exec.CommandContext(ctx, "runc", "--root", state, "run", "--bundle", b.dir, id)
	cmd.WaitDelay = killLimit
	cmd.Cancel = func() error {
		return exec.Command("runc", "--root", state, "kill", id, "KILL").Run()
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return nil, fmt.Errorf("runc: %w: %s", err, out)
	}
	return &Ran{Output: string(out), Code: cmd.ProcessState.ExitCode()}, nil
}

// killLimit bounds the wait for a container that was killed: its processes end
// at once, the runtime takes down what it made.
const killLimit = 10 * time.Second

// spec is what runc reads. No resource limit is raised and no OOM score lowered:
// the build machines may not do that.
func spec(id string, argv, env []string, cwd string) map[string]any {
	mount := func(to, kind string, options ...string) map[string]any {
		return map[string]any{"destination": to, "type": kind, "source": kind, "options": options}
	}
	caps := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"}
	return map[string]any{
		"ociVersion": "1.0.2",
		"process": map[string]any{
			"user": map[string]any{"uid": 0, "gid": 0}, "args": argv, "env": env, "cwd": cwd, "noNewPrivileges": true,
			"capabilities": map[string]any{"bounding": caps, "effective": caps, "permitted": caps},
		},
		"root":     map[string]any{"path": "rootfs"},
		"hostname": "step",
		"mounts": []any{
			mount("/proc", "proc"),
			mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
			mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
		},
		"linux": map[string]any{
			"cgroupsPath": "/" + id,
			"namespaces": []any{map[string]any{"type": "pid"}, map[string]any{"type": "mount"}, map[string]any{"type": "ipc"},
				map[string]any{"type": "uts"}},
			"maskedPaths": []string{"/proc/kcore", "/proc/keys"},
		},
	}
}

// Files are the files of a layer: name and content.
func Files(l v1.Layer) (map[string][]byte, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	files := map[string][]byte{}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		files[strings.TrimPrefix(h.Name, "/")] = data
	}
}
