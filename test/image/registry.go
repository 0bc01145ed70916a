package image

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// startLimit bounds how long a server may take to answer: tens of milliseconds
// alone on a machine, many times that beside other tests.
const startLimit = 30 * time.Second

// RegistryOptions are what registries differ in.
type RegistryOptions struct {
	// Program serves it; empty means Debian's docker-registry.
	Program string
	// Htpasswd are the lines of the file that says who may do anything at all; empty
	// means that everybody may.
	Htpasswd string
}

// Registry is Debian's docker-registry, as a process of its own.
type Registry struct {
	// Host is where it listens.
	Host string
	cmd  *exec.Cmd
	hook *httptest.Server
	log  string

	mu    sync.Mutex
	blobs map[string]int64 // by digest, since Forget
}

// StartRegistry starts Debian's, which keeps its data in dir.
func StartRegistry(dir string) (*Registry, error) { return StartRegistryWith(dir, RegistryOptions{}) }

// StartRegistryWith starts one that keeps its data in dir.
func StartRegistryWith(dir string, o RegistryOptions) (*Registry, error) {
	r := &Registry{blobs: map[string]int64{}, log: filepath.Join(dir, "registry.log")}
	r.hook = httptest.NewServer(http.HandlerFunc(r.notified))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.Host = l.Addr().String()
	l.Close()
	config := fmt.Sprintf(`version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
http: {addr: %q, secret: test}
notifications:
  endpoints:
    - {name: test, url: %q, timeout: 5s, threshold: 10, backoff: 100ms}
`, filepath.Join(dir, "data"), r.Host, r.hook.URL)
	if o.Htpasswd != "" {
		passwords := filepath.Join(dir, "htpasswd")
		if err := os.WriteFile(passwords, []byte(o.Htpasswd), 0o600); err != nil {
			return nil, err
		}
		config += fmt.Sprintf("auth:\n  htpasswd: {realm: test, path: %q}\n", passwords)
	}
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	out, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	r.cmd = exec.Command(cmp.Or(o.Program, "docker-registry"), "serve", file)
	r.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none") // version 3 looks for somebody to tell
	r.cmd.Stdout, r.cmd.Stderr = out, out
	if err := r.cmd.Start(); err != nil {
		r.hook.Close()
		return nil, err
	}
	if err := answers("http://" + r.Host + "/v2/"); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// answers waits until a server does.
func answers(url string) error {
	deadline := time.Now().Add(startLimit)
	for {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer in %s: %w", startLimit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends it.
func (r *Registry) Stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Wait()
	r.hook.Close()
}

// notified takes the registry's own word of what it took.
func (r *Registry) notified(_ http.ResponseWriter, req *http.Request) {
	var envelope struct {
		Events []struct {
			Action string
			Target struct {
				MediaType, Digest string
				Size              int64
			}
		}
	}
	if json.NewDecoder(req.Body).Decode(&envelope) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range envelope.Events {
		if e.Action == "push" {
			r.blobs[e.Target.Digest] = e.Target.Size
		}
	}
}

// Forget begins to count anew. It first waits for what was said before.
func (r *Registry) Forget(ctx context.Context) error {
	if _, err := r.Taken(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.blobs)
	return nil
}

// Taken are the blobs and manifests that were uploaded since Forget, with their
// sizes. Notifications come in order, so a last upload of our own says that all
// before it are in.
func (r *Registry) Taken(ctx context.Context) (map[string]int64, error) {
	mark, err := markImage(time.Now().UnixNano())
	if err != nil {
		return nil, err
	}
	ref, err := name.ParseReference(r.Host+"/mark:last", name.Insecure)
	if err != nil {
		return nil, err
	}
	if err := remote.Write(ref, mark, remote.WithContext(ctx)); err != nil {
		return nil, err
	}
	digest, err := mark.Digest()
	if err != nil {
		return nil, err
	}
	config, err := mark.ConfigName()
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(startLimit)
	for {
		r.mu.Lock()
		_, last := r.blobs[digest.String()]
		if last {
			delete(r.blobs, digest.String())
			delete(r.blobs, config.String())
			out := map[string]int64{}
			for d, n := range r.blobs {
				out[d] = n
			}
			r.mu.Unlock()
			return out, nil
		}
		r.mu.Unlock()
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the registry does not say what it took, in %s", startLimit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Push puts an image there.
func (r *Registry) Push(ctx context.Context, repository string, img v1.Image) (string, error) {
	ref, err := name.ParseReference(r.Host+"/"+repository, name.Insecure)
	if err != nil {
		return "", err
	}
	return ref.String(), remote.Write(ref, img, remote.WithContext(ctx))
}

// Pull is an image of it.
func (r *Registry) Pull(ctx context.Context, reference string) (v1.Image, error) {
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return nil, err
	}
	return remote.Image(ref, remote.WithContext(ctx))
}

// Log is what it printed.
func (r *Registry) Log() string {
	data, _ := os.ReadFile(r.log)
	return strings.ToValidUTF8(string(data), "?")
}
