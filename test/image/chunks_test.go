//go:build linux

package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/environment/image"
)

const (
	// chunk is what stephost sends in one request.
	chunk = 16 << 20
	// cutAfter are the bytes of a chunk that come through before it breaks off.
	cutAfter = 5 << 20
	// onItsWay bounds what of those the relay had read and the registry had not:
	// buffers of both.
	onItsWay = 256 << 10
)

// later tells a request with a chunk that is not the first of its blob.
func later(r *http.Request) bool {
	return r.Method == http.MethodPatch && r.Header.Get("Content-Range") != "" && !strings.HasPrefix(r.Header.Get("Content-Range"), "0-")
}

// TestUploadGoesOnInALaterChunk: a layer of several chunks breaks off within the second,
// before real registries. One that knows where it stands gets the rest and no more;
// one that has forgotten the upload gets it again. Both have the blob whole.
func TestUploadGoesOnInALaterChunk(t *testing.T) {
	w := newWorld(t)
	w.bulky(40)
	t.Run("version 3 knows where it stands", func(t *testing.T) {
		w := w.in(t)
		program, err := CurrentRegistry(t.Context())
		require.NoError(t, err)
		r, err := StartRegistryWith(t.TempDir(), RegistryOptions{Program: program})
		require.NoError(t, err)
		t.Cleanup(r.Stop)
		f := newFront(t, r.Host)
		w.request.RegistryPush = f.host + "/chunks/three"
		cut := map[string]bool{} // each upload once
		f.setBreaks(func(r *http.Request) int64 {
			if !later(r) || cut[r.URL.Path] {
				return -1
			}
			cut[r.URL.Path] = true
			return cutAfter
		}, nil)
		// What was on its way has come in before the question is passed on: how much that
		// is decides what is expected.
		f.set(func(_ http.ResponseWriter, req *http.Request) bool {
			if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/uploads/") {
				settles(t, "http://"+r.Host+req.URL.Path, chunk+cutAfter-onItsWay)
			}
			return false
		})
		img := w.build()
		w.whole(r, img.Pushed, f.host)
		assert.Contains(t, strings.Join(w.said, "\n"), "of base layers travel from "+w.r.Host+" to "+f.host+", once")

		large := 0
		for _, l := range img.Layers {
			if l.Size <= chunk {
				continue
			}
			large++
			assert.Equal(t, image.Uploaded, l.State)
			list := f.upload(l.Digest)
			require.GreaterOrEqual(t, len(list), 5, "two chunks, the question, the rest, the end")
			assert.Equal(t, passage{method: "PATCH", path: list[0].path, bytes: chunk, code: 202, stands: "0-" + strconv.Itoa(chunk-1)}, list[0])
			assert.Equal(t, passage{method: "PATCH", path: list[0].path, from: chunk, bytes: cutAfter}, list[1], "broken off: no answer")
			asked := list[2]
			assert.Equal(t, []any{"GET", http.StatusNoContent}, []any{asked.method, asked.code})
			at := standing(t, asked.stands)
			assert.Greater(t, at, int64(chunk+cutAfter-onItsWay), "of the broken chunk too most has arrived")
			assert.LessOrEqual(t, at, int64(chunk+cutAfter))
			assert.Equal(t, at, list[3].from, "it goes on where the registry says that it stands")
			var bytes int64
			for _, p := range list {
				bytes += p.bytes
			}
			assert.Equal(t, l.Size+chunk+cutAfter-at, bytes, "the rest alone was sent: by the relay's own count")
			assert.Equal(t, "PUT", list[len(list)-1].method)
			assert.Zero(t, list[len(list)-1].bytes)
		}
		assert.Equal(t, 2, large, "a layer of the base, which travels, and the source")
		assert.Len(t, cut, large)

		carried := f.carried()
		again := w.build()
		assert.Equal(t, img.Pushed, again.Pushed)
		assert.Equal(t, carried, f.carried(), "nothing is sent a second time")
	})
	t.Run("version 2 has forgotten it", func(t *testing.T) {
		w := w.in(t)
		f := newFront(t, w.r.Host)
		w.request.BaseImage = strings.Replace(w.request.BaseImage, w.r.Host, f.host, 1)
		w.request.RegistryPush = f.host + "/chunks/two"
		cut := ""
		f.setBreaks(func(r *http.Request) int64 {
			if !later(r) || cut != "" {
				return -1
			}
			cut = r.URL.Path
			return cutAfter
		}, nil)
		img := w.build()
		w.whole(w.r.Registry, img.Pushed, f.host)
		source := layerOfKind(t, img, image.Source)
		list := f.upload(source.Digest)
		require.NotEmpty(t, list)
		assert.NotEqual(t, cut, list[0].path, "another upload")
		var bytes int64
		for _, p := range list {
			bytes += p.bytes
		}
		assert.Equal(t, source.Size, bytes, "all of it, once")
		var forgotten []passage
		for _, p := range f.all() {
			if p.path == cut {
				forgotten = append(forgotten, p)
			}
		}
		// It may have answered once before it noticed that the connection was gone.
		require.GreaterOrEqual(t, len(forgotten), 3)
		assert.Equal(t, []any{int64(chunk), int64(cutAfter)}, []any{forgotten[0].bytes, forgotten[1].bytes})
		assert.Equal(t, http.StatusNotFound, forgotten[len(forgotten)-1].code)
		w.soundCache(w.request.CacheDir)
	})
}

// settles waits until a registry has so much of an upload.
func settles(t *testing.T, upload string, least int64) {
	assert.Eventually(t, func() bool {
		resp, err := http.Get(upload)
		if !assert.NoError(t, err) {
			return true
		}
		resp.Body.Close()
		return standing(t, resp.Header.Get("Range")) > least
	}, startLimit, 20*time.Millisecond)
}

// standing reads a Range: the first byte that is missing.
func standing(t *testing.T, text string) int64 {
	_, last, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(last, 10, 64)
	assert.NoError(t, err, text)
	return n + 1
}

func layerOfKind(t *testing.T, img *environment.Image, kind string) image.Layer {
	at := slices.IndexFunc(img.Layers, func(l image.Layer) bool { return l.Kind == kind })
	require.GreaterOrEqual(t, at, 0, kind)
	return img.Layers[at]
}

// TestKilledMidUpload: SIGKILL of `stephost build` while the second chunk of a layer is on
// its way; the next build, in the same home, is whole, and so is what lies there.
func TestKilledMidUpload(t *testing.T) {
	w := newWorld(t)
	w.bulky(40)
	f := newFront(t, w.r.Host)
	w.request.BaseImage = strings.Replace(w.request.BaseImage, w.r.Host, f.host, 1)
	w.request.RegistryPush = f.host + "/killed"
	reached, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	f.setBreaks(func(r *http.Request) int64 {
		if !later(r) {
			return -1
		}
		return cutAfter
	}, func() {
		first.Do(func() { close(reached) })
		<-release // neither end hears of it before the process is gone
	})
	c := newCLI(t, w)
	cmd, stderr := c.build()
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-reached:
	case err := <-ended:
		require.NoError(t, err, stderr.String())
		t.Fatal("it ended before it uploaded")
	}
	require.NoError(t, cmd.Process.Kill())
	<-ended
	close(release)
	f.setBreaks(nil, nil)
	w.soundCache(c.cache())

	cmd, stderr = c.build()
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	assert.NotContains(t, stderr.String(), "packing the source", "the layer was packed before the kill")
	w.whole(w.r.Registry, strings.TrimSpace(string(out)), f.host)
	w.soundCache(c.cache())
}

// soundCache reads all that a cache has of images: a blob is what its name says, a
// record can be read, and nothing half is left.
func (w *world) soundCache(dir string) {
	w.t.Helper()
	root := filepath.Join(dir, "images")
	blobs := 0
	require.NoError(w.t, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		kind, name, _ := strings.Cut(filepath.ToSlash(rel), "/")
		switch kind {
		case "blobs", "documents":
			blobs++
			sum := sha256.Sum256(data)
			assert.Equal(w.t, name, hex.EncodeToString(sum[:]), rel)
		case "locks":
		case "tmp", "partial":
			assert.Fail(w.t, "something half is left", "%s, %d bytes", rel, len(data))
		default:
			if !json.Valid(data) {
				return errors.New(rel + " is no record")
			}
		}
		return nil
	}))
	assert.NotZero(w.t, blobs)
}
