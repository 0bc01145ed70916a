//go:build linux

package image

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/problem"
)

// bulky makes the step's source hard to compress, so that there is a middle of
// its upload, and its requirements few.
func (w *world) bulky(megabytes int) {
	data := make([]byte, megabytes<<20)
	_, err := rand.Read(data)
	require.NoError(w.t, err)
	w.write("bulk.bin", string(data))
	w.write("requirements.txt", "idna\n")
}

// TestFaults: the registry fails in every way before the real one, and the build
// afterwards is whole.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	w.bulky(3)
	f := newFront(t, w.r.Host)
	once := func(match func(*http.Request) bool, answer func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		var done sync.Once
		return func(rw http.ResponseWriter, r *http.Request) bool {
			hit := false
			if match(r) {
				done.Do(func() { hit = true; answer(rw, r) })
			}
			return hit
		}
	}
	upload := func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"429 once": once(upload, status(http.StatusTooManyRequests)),
		"500 once": once(upload, status(http.StatusInternalServerError)),
		"dropped in the middle of a blob": once(func(r *http.Request) bool {
			return r.Method == http.MethodPatch || r.Method == http.MethodPut && r.ContentLength > 1<<20
		},
			func(_ http.ResponseWriter, r *http.Request) {
				_, _ = r.Body.Read(make([]byte, 100<<10))
				panic(http.ErrAbortHandler)
			}),
		"401 always": func(rw http.ResponseWriter, r *http.Request) bool {
			if upload(r) {
				rw.Header().Set("WWW-Authenticate", `Basic realm="r"`)
				rw.WriteHeader(http.StatusUnauthorized)
				return true
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.request.BaseImage = strings.Replace(w.request.BaseImage, w.r.Host, f.host, 1)
			w.request.RegistryPush = f.host + "/faults/" + strings.ReplaceAll(name, " ", "-")
			w.request.CacheDir = filepath.Join(t.TempDir(), "cache")
			f.set(fault)
			defer f.set(nil)
			img, err := environment.PrepareImage(t.Context(), w.request)
			if strings.HasSuffix(name, "always") {
				var p *problem.Error
				require.ErrorAs(t, err, &p)
				assert.NotEmpty(t, p.Next)
				assert.Contains(t, p.Error()+p.Detail, f.host, "which registry")
				f.set(nil)
				img, err = environment.PrepareImage(t.Context(), w.request)
			}
			require.NoError(t, err, "%s", strings.Join(w.said, "\n"))
			w.whole(w.r.Registry, img.Pushed, f.host)
			w.soundCache(w.request.CacheDir)
		})
	}
}

// whole reads every byte of an image of a registry, which checks every digest. The
// reference names it by another host.
func (w *world) whole(r *Registry, reference, host string) {
	w.t.Helper()
	img, err := r.Pull(w.t.Context(), strings.Replace(reference, host, r.Host, 1))
	require.NoError(w.t, err)
	layers, err := img.Layers()
	require.NoError(w.t, err)
	for _, l := range layers {
		_, err := Files(l)
		require.NoError(w.t, err)
	}
}

// TestDiskFull: the cache is on a file system that is too small.
func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	w.bulky(6)
	small := filepath.Join(w.dir, "small")
	require.NoError(t, os.Mkdir(small, 0o755))
	require.NoError(t, syscall.Mount("tmpfs", small, "tmpfs", 0, "size=4m"))
	defer func() { require.NoError(t, syscall.Unmount(small, syscall.MNT_DETACH)) }()
	w.request.CacheDir = filepath.Join(small, "cache")
	_, err := environment.PrepareImage(t.Context(), w.request)
	isFull(t, err)

	// In the requirements alone.
	w.write("bulk.bin", "little")
	w.write("requirements.txt", "numpy==2.2.*\n")
	_, err = environment.PrepareImage(t.Context(), w.request)
	isFull(t, err)
	var known *requirements.Error
	require.ErrorAs(t, err, &known)
	assert.Equal(t, requirements.DiskFull, known.Kind)

	// With space, the same cache serves.
	require.NoError(t, syscall.Mount("tmpfs", small, "tmpfs", syscall.MS_REMOUNT, "size=500m"))
	w.write("requirements.txt", "idna\n")
	w.whole(w.r.Registry, w.build().Pushed, w.r.Host)
	w.soundCache(w.request.CacheDir)
}

func isFull(t *testing.T, err error) {
	t.Helper()
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	assert.Equal(t, problem.System, p.Class)
	assert.Regexp(t, "(?i)space", p.Error()+p.Next)
}

// TestNoSecretIsInTheImage: what the build was told in confidence is searched for
// in every blob that the registry has, and in all that anybody printed.
func TestNoSecretIsInTheImage(t *testing.T) {
	w := newOwnWorld(t)
	w.bulky(0)
	secrets := []string{"index-pass-7f3a9c", "netrc-pass-91bd22", "variable-5e0c71d4", "registry-pass-c2d8"}
	// A package index that wants credentials, before a directory of wheels.
	links := t.TempDir()
	out, err := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", links, "idna").CombinedOutput()
	require.NoError(t, err, string(out))
	guarded := func(password string) string {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if _, got, _ := r.BasicAuth(); got != password {
				rw.Header().Set("WWW-Authenticate", "Basic")
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			serveIndex(links, rw, r)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	inLine, inNetrc := guarded(secrets[0]), guarded(secrets[1])
	u, err := url.Parse(inNetrc)
	require.NoError(t, err)
	netrc := filepath.Join(w.dir, "netrc")
	require.NoError(t, os.WriteFile(netrc, []byte("machine "+u.Hostname()+" login me password "+secrets[1]+"\n"), 0o600))
	w.request.Environ = append(os.Environ(), "NETRC="+netrc, "API_TOKEN="+secrets[2], "STEPHOST_REGISTRY_PASSWORD="+secrets[3], "STEPHOST_REGISTRY_USERNAME=me",
		"UV_NO_CACHE=1", "PIP_NO_CACHE_DIR=1")
	// A requirements file that holds a password is the person's own: a warning
	// says how to keep it out of the source, which is done here.
	w.request.Sources[0].Exclude = []string{"requirements.txt"}
	var printed bytes.Buffer
	for i, line := range []string{"--index-url " + strings.Replace(inLine, "//", "//me:"+secrets[0]+"@", 1) + "/simple/", "--index-url " + inNetrc + "/simple/"} {
		w.write("requirements.txt", line+"\nidna\n")
		w.request.CacheDir = filepath.Join(w.dir, "cache-of-secrets")
		img := w.build()
		assert.Equal(t, i == 0, strings.Contains(strings.Join(img.Warnings, " "), "requirements.txt holds credentials"), "%v", img.Warnings)
		printed.WriteString(strings.Join(append(w.said, img.Warnings...), "\n"))
	}
	w.write("requirements.txt", "--index-url "+strings.Replace(inLine, "//", "//me:wrong"+secrets[0]+"@", 1)+"/simple/\nidna<100\n")
	_, err = environment.PrepareImage(t.Context(), w.request)
	require.Error(t, err)
	printed.WriteString(err.Error())
	var p *problem.Error
	if errors.As(err, &p) {
		printed.WriteString(p.Detail + p.Next)
	}
	for _, s := range secrets {
		assert.NotContains(t, printed.String(), s)
		assert.NotContains(t, w.r.Log(), s)
	}
	blobs := 0
	require.NoError(t, filepath.Walk(filepath.Join(w.r.dir, "data"), func(name string, fi os.FileInfo, err error) error {
		if err != nil || !fi.Mode().IsRegular() || filepath.Base(name) != "data" {
			return err
		}
		blobs++
		text, err := exec.Command("sh", "-c", `gzip -dc "$0" 2>/dev/null || cat "$0"`, name).Output()
		if err != nil {
			return err
		}
		for _, s := range secrets {
			assert.False(t, bytes.Contains(text, []byte(s)), "%s is in a blob", s)
		}
		return nil
	}))
	assert.Greater(t, blobs, 6)
}
