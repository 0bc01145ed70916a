package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a real registry in this process, that counts, and fails on demand.
type server struct {
	t    testing.TB
	host string
	*httptest.Server

	inner http.Handler
	// sent are bytes of bodies that came in for blobs; asked counts requests.
	sent, asked atomic.Int64

	mu     sync.Mutex
	before func(w http.ResponseWriter, r *http.Request) bool // true: answered
	lines  []string
}

func newServer(t testing.TB) *server {
	s := &server{t: t, inner: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	s.Server = httptest.NewServer(s)
	s.host = strings.TrimPrefix(s.URL, "http://")
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	s.mu.Lock()
	s.lines = append(s.lines, r.Method+" "+r.URL.RequestURI())
	before := s.before
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if strings.Contains(r.URL.Path, "/blobs/") {
		r.Body = &countedBody{r.Body, &s.sent}
	}
	s.inner.ServeHTTP(w, r)
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// faults answers requests before the registry sees them; nil ends that.
func (s *server) faults(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	s.before = f
	s.mu.Unlock()
}

// since returns the requests of what fn does.
func (s *server) since(fn func()) []string {
	s.mu.Lock()
	from := len(s.lines)
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines[from:]...)
}

// entry of a layer in a test.
type entry struct {
	name, text, link string
	typ              byte
}

func layerOf(t testing.TB, entries ...entry) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o755, Size: int64(len(e.text)), Typeflag: tar.TypeReg, Linkname: e.link}
		switch {
		case e.typ != 0:
			h.Typeflag = e.typ
		case e.link != "":
			h.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := io.WriteString(w, e.text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	require.NoError(t, err)
	return l
}

const site = "usr/local/lib/python3.11/site-packages/"

// pythonBase is what an image with Python looks like to who reads its layers.
func pythonBase(t testing.TB) v1.Image {
	img, err := mutate.AppendLayers(empty.Image,
		layerOf(t,
			entry{name: "usr/lib/x86_64-linux-gnu/libc.so.6", text: "\x7fELF...GNU C Library (Debian GLIBC 2.36-9+deb12u9) stable release version 2.36.\n"},
			entry{name: "lib", link: "usr/lib"},
			entry{name: "big", text: strings.Repeat("0123456789abcdef", 64<<10)}),
		layerOf(t,
			entry{name: "usr/local/bin/python3.11", text: "ELF"},
			entry{name: "usr/local/bin/python3", link: "python3.11"},
			entry{name: "usr/local/bin/python", link: "python3"},
			entry{name: "usr/local/lib/python3.11/os.py", text: "#"},
			entry{name: site},
			entry{name: site + "pip-24.0.dist-info/METADATA", text: "Metadata-Version: 2.1\nName: pip\nVersion: 24.0\n\nName: no\n"},
			entry{name: site + "Old_Thing-1.0.dist-info/METADATA", text: "Name: Old.Thing\nVersion: 1.0\n"}),
		layerOf(t, entry{name: site + ".wh.Old_Thing-1.0.dist-info"}))
	require.NoError(t, err)
	cfg, err := img.ConfigFile()
	require.NoError(t, err)
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", "amd64"
	cfg.Config.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	cfg.Config.Cmd, cfg.Config.WorkingDir, cfg.Config.User = []string{"python3"}, "/base", "1000"
	img, err = mutate.ConfigFile(img, cfg)
	require.NoError(t, err)
	return img
}

// put pushes an image, outside of what is measured.
func (s *server) put(t testing.TB, repo string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(s.host+"/"+repo, name.Insecure)
	require.NoError(t, err)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	require.NoError(t, remote.Write(ref, img, remote.WithTransport(tr)))
	return s.host + "/" + repo
}

func (s *server) pull(t testing.TB, ref string) v1.Image {
	t.Helper()
	r, err := name.ParseReference(ref, name.Insecure)
	require.NoError(t, err)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	img, err := remote.Image(r, remote.WithTransport(tr))
	require.NoError(t, err)
	return img
}

// read is the whole content of a layer: name -> header and text.
type tarFile struct {
	*tar.Header
	text string
}

func untar(t testing.TB, l v1.Layer) []tarFile {
	t.Helper()
	r, err := l.Uncompressed()
	require.NoError(t, err)
	defer r.Close()
	var out []tarFile
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return out
		}
		require.NoError(t, err)
		text, err := io.ReadAll(tr)
		require.NoError(t, err)
		out = append(out, tarFile{h, string(text)})
	}
}

// world is a registry with a base, a project and a cache.
type world struct {
	t        testing.TB
	s        *server
	dir, app string
	request  Request
	said     []string
	saidMu   sync.Mutex
}

func newWorld(t testing.TB) *world {
	t.Helper()
	// No login of the machine is in the tests. (Docker's library remembers HOME.)
	home, env := t.TempDir(), t.(interface{ Setenv(string, string) })
	env.Setenv("HOME", home)
	env.Setenv("DOCKER_CONFIG", filepath.Join(home, ".docker"))
	w := &world{t: t, s: newServer(t), dir: t.TempDir()}
	w.app = filepath.Join(w.dir, "app")
	w.file("train.py", "print('hi')\n")
	w.file("pkg/util.py", "x = 1\n")
	w.s.put(t, "base/py:1", pythonBase(t))
	shims := filepath.Join(w.dir, "shims")
	require.NoError(t, os.MkdirAll(shims, 0o755))
	for _, arch := range []string{"amd64", "arm64"} {
		require.NoError(t, os.WriteFile(filepath.Join(shims, "stephost-init-linux-"+arch), []byte("the shim for "+arch), 0o755))
	}
	w.request = Request{BaseImage: w.s.host + "/base/py:1", Push: w.s.host + "/ml", Sources: []source.Root{{Path: w.app}},
		CacheDir: filepath.Join(w.dir, "cache"), ShimDir: shims, Environ: []string{}, pause: 5 * time.Millisecond,
		Progress: func(line string) { w.saidMu.Lock(); w.said = append(w.said, line); w.saidMu.Unlock() }}
	return w
}

func (w *world) file(rel, text string) string {
	w.t.Helper()
	p := filepath.Join(w.app, rel)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(p), 0o755))
	require.NoError(w.t, os.WriteFile(p, []byte(text), 0o644))
	return p
}

func (w *world) build() (*Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Build(ctx, w.request)
}

func (w *world) mustBuild() *Result {
	w.t.Helper()
	res, err := w.build()
	require.NoError(w.t, err)
	return res
}

func (w *world) output() string {
	w.saidMu.Lock()
	defer w.saidMu.Unlock()
	return strings.Join(w.said, "\n")
}

func states(res *Result) string {
	var b strings.Builder
	for _, l := range res.Layers {
		fmt.Fprintf(&b, "%s:%s ", l.Kind, l.State)
	}
	return strings.TrimSpace(b.String())
}

// answer is a fault: a code, and headers.
func answer(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"errors":[{"code":"FAULT","message":"by the test"}]}`)
	}
}

func any1(*http.Request) bool { return true }
