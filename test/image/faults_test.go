//go:build linux

package image

import (
	"crypto/rand"
	"net/http"
	"os"
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
