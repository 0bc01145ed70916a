package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/problem"
)

// times answers the first n requests that match with a fault.
func times(n int, match func(*http.Request) bool, fault http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !match(r) || seen.Add(1) > int64(n) {
			return false
		}
		fault(w, r)
		return true
	}
}

// drop breaks the connection after some bytes of the body.
func drop(after int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, after)
		panic(http.ErrAbortHandler)
	}
}

// sends tells a request that carries a piece of a blob.
func sends(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/blobs/") && (r.Method == http.MethodPatch || r.Method == http.MethodPut && r.ContentLength > 0)
}

func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m }
}

// TestFaultsPass: what passes is repeated, and the image is whole.
func TestFaultsPass(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"500 on everything":        times(2, any1, answer(500)),
		"503 on HEAD":              times(3, method("HEAD"), answer(503)),
		"429 with Retry-After":     times(2, any1, answer(429, "Retry-After", "0")),
		"429 on the upload":        times(2, sends, answer(429, "Retry-After", "0")),
		"500 on the commit":        times(1, method("PUT"), answer(500)),
		"dropped at once":          times(2, any1, drop(0)),
		"dropped mid-blob":         times(2, sends, drop(100)),
		"the upload is forgotten":  times(1, sends, answer(404)),
		"another place is claimed": times(1, sends, answer(416)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.file("big.bin", strings.Repeat("0123456789", 20<<10))
			w.s.faults(fault)
			res := w.mustBuild()
			w.s.faults(nil)
			require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
		})
	}
}

// TestFaultsStay: what does not pass is told with registry, repository and source
// of credentials, and the next build succeeds.
func TestFaultsStay(t *testing.T) {
	push := func(r *http.Request) bool { return r.Method == http.MethodPost || r.Method == http.MethodPatch }
	for _, tc := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		class problem.Class
		want  []string
		next  string
	}{
		{"401", times(1<<30, any1, answer(401, "WWW-Authenticate", `Basic realm="x"`)), problem.Auth,
			[]string{"does not let you pull from base/py", "no credentials: 401"}, "docker login"},
		{"401 when pushing", times(1<<30, push, answer(401)), problem.Auth, []string{"does not let you push to ml", "no credentials: 401"}, "docker login"},
		{"403 when pushing", times(1<<30, push, answer(403)), problem.Auth, []string{"does not let you push to ml", "no credentials: 403"}, "docker login"},
		{"429 when pushing", times(1<<30, push, answer(429, "Retry-After", "0")), problem.System, []string{"cannot push to ml in registry", "429 Too Many Requests"}, "try again later, or log in"},
		{"500 when pushing", times(1<<30, push, answer(500)), problem.System, []string{"cannot push to ml in registry", "500 Internal Server Error"}, "what was sent already is not sent again"},
		{"dropped for ever", times(1<<30, push, drop(0)), problem.System, []string{"cannot push to ml in registry", "Credentials: no credentials"}, "can be reached from this machine"},
		{"400", times(1<<30, push, answer(400)), problem.Config, []string{"cannot push to ml in registry", "Credentials: no credentials", "400 Bad Request, FAULT by the test"}, "correct the name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.s.faults(tc.fault)
			_, err := w.build()
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			assert.Equal(t, tc.class, p.Class)
			for _, want := range append(tc.want, w.s.host) {
				assert.Contains(t, p.Error()+"\n"+p.Detail, want)
			}
			assert.Contains(t, p.Next, tc.next)
			w.s.faults(nil)
			require.NoError(t, validate.Image(w.s.pull(t, w.mustBuild().Reference)))
		})
	}
}

// TestRetriesEnd: a registry that fails for ever is given up.
func TestRetriesEnd(t *testing.T) {
	w := newWorld(t)
	c := newConnector(&w.request)
	defer c.close()
	c.first = time.Millisecond
	tried := 0
	err := c.retry(t.Context(), func() error { tried++; return io.ErrUnexpectedEOF })
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, retryTries, tried)

	ctx, cancel := context.WithCancelCause(t.Context())
	c.first = time.Hour
	went := errors.New("gone home")
	err = c.retry(ctx, func() error { cancel(went); return io.ErrUnexpectedEOF })
	assert.Error(t, err)
}

// resumable adds to the registry what the Debian one and most others can: it takes a
// blob in chunks, tells how much of it has arrived, and takes the rest.
type resumable struct {
	inner  http.Handler
	mu     sync.Mutex
	parts  map[string][]byte
	drops  int
	after  int      // bytes that arrive of a request that is dropped
	deaf   int      // questions that break off
	refuse int      // what a chunk is answered with; 0 = it is taken
	second bool     // only the second chunk is refused
	from   []string // Content-Range of all chunks
}

func (s *resumable) handle(w http.ResponseWriter, r *http.Request) bool {
	if !strings.Contains(r.URL.Path, "/blobs/uploads/") {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.parts[r.URL.Path]
	cr := r.Header.Get("Content-Range")
	switch {
	case r.Method == http.MethodGet && s.deaf > 0:
		s.deaf--
		panic(http.ErrAbortHandler)
	case r.Method == http.MethodGet:
		w.Header().Set("Range", "0-"+strconv.Itoa(max(len(have)-1, 0)))
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
		return true
	case r.Method == http.MethodPatch && cr != "" && s.refuse != 0 && (!s.second || len(have) > 0):
		answer(s.refuse)(w, r)
		return true
	case sends(r) && s.drops > 0 && r.ContentLength > int64(s.after):
		s.drops--
		got, _ := io.ReadAll(io.LimitReader(r.Body, int64(s.after)))
		s.parts[r.URL.Path] = append(have, got...)
		panic(http.ErrAbortHandler)
	case sends(r), r.Method == http.MethodPut && len(have) > 0:
		if cr != "" {
			s.from = append(s.from, cr)
		}
		rest, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		all := append(have, rest...)
		if r.Method == http.MethodPatch {
			s.parts[r.URL.Path] = all
			w.Header().Set("Location", r.URL.Path)
			w.Header().Set("Range", "0-"+strconv.Itoa(len(all)-1))
			w.WriteHeader(http.StatusAccepted)
			return true
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(all)), int64(len(all))
		s.inner.ServeHTTP(w, r)
		return true
	}
	return false
}

// noise does not compress.
func noise(n int) string {
	random := rand.NewChaCha8([32]byte{4})
	data := make([]byte, n)
	_, _ = random.Read(data)
	return string(data)
}

func TestAnUploadGoesOnWhereItBroke(t *testing.T) {
	for name, tc := range map[string]struct {
		chunk, after, drops, deaf int
	}{
		"a blob that fits into one request":    {0, 40 << 10, 2, 0},
		"chunks, in the middle of one":         {64 << 10, 40 << 10, 3, 0},
		"chunks, before anything has arrived":  {64 << 10, 0, 3, 0},
		"more often than a request is tried":   {64 << 10, 40 << 10, retryTries + 2, 0},
		"and the question breaks off, as well": {64 << 10, 40 << 10, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.request.chunk = int64(tc.chunk)
			w.file("big.bin", noise(400<<10))
			s := &resumable{inner: w.s.inner, parts: map[string][]byte{}, drops: tc.drops, after: tc.after, deaf: tc.deaf}
			w.s.faults(s.handle)
			res := w.mustBuild()
			w.s.faults(nil)
			require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
			assert.Zero(t, s.drops+s.deaf)
			require.NotEmpty(t, s.from, "the rest was sent, not all of it again")
			assert.False(t, strings.HasPrefix(s.from[len(s.from)-1], "0-"), s.from)
			if tc.chunk > 0 && tc.drops < retryTries {
				assert.GreaterOrEqual(t, len(s.from), 5, "fixed chunks")
			}
		})
	}
}

// TestChunksRefused: a registry that takes no chunks, or no second one, gets blobs in
// one piece, and the next build knows that.
func TestChunksRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		code   int
		second bool
	}{
		"400": {400, false}, "405": {405, false}, "416 for the second": {416, true}, "404 for the second": {404, true}, "501": {501, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.request.chunk = 64 << 10
			w.file("big.bin", noise(400<<10))
			s := &resumable{inner: w.s.inner, parts: map[string][]byte{}, refuse: tc.code, second: tc.second}
			w.s.faults(s.handle)
			res := w.mustBuild()
			w.file("big.bin", noise(300<<10))
			lines := strings.Join(w.s.since(func() { w.mustBuild() }), "\n")
			w.s.faults(nil)
			require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
			assert.Equal(t, 1, strings.Count(lines, "PATCH"), "it is not tried again: %s", lines)
		})
	}
}

// TestADownloadGoesOnWhereItBroke: base layers that travel.
func TestADownloadGoesOnWhereItBroke(t *testing.T) {
	w := newWorld(t)
	target := newServer(t)
	w.request.Push = target.host + "/ml"
	var ranges []string
	var mu sync.Mutex
	cut := map[string]int{} // each blob breaks twice
	told := false
	target.faults(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost && !told {
			told = true
			assert.Contains(t, w.output(), "of base layers travel from ", "said before the first byte is sent")
		}
		return false
	})
	w.s.faults(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/sha256:") {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if rg := r.Header.Get("Range"); rg != "" {
			ranges = append(ranges, rg)
		}
		if cut[r.URL.Path]++; cut[r.URL.Path] > 2 {
			return false
		}
		rec := &cutWriter{ResponseWriter: rw, left: 50}
		w.s.inner.ServeHTTP(rec, r)
		if rec.left <= 0 {
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
		return true
	})
	res := w.mustBuild()
	w.s.faults(nil)
	target.faults(nil)
	require.NoError(t, validate.Image(target.pull(t, res.Reference)))
	assert.True(t, told)
	assert.NotEmpty(t, ranges)
	assert.Contains(t, w.output(), "of base layers travel from "+w.s.host+" to "+target.host+", once")
	assert.Contains(t, states(res), "base:uploaded")
	// What travelled is not kept here.
	blobs, err := os.ReadDir(w.request.CacheDir + "/images/blobs")
	require.NoError(t, err)
	assert.Len(t, blobs, 2, "shim and source")

	w.file("train.py", "print('other')")
	sent := w.s.asked.Load()
	res = w.mustBuild()
	assert.NotContains(t, states(res), "base:uploaded")
	assert.LessOrEqual(t, w.s.asked.Load()-sent, int64(2), "the base's registry is asked what the tag names, and no more")
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.ResponseWriter.Write(p)
	c.left -= n
	if c.left <= 0 && err == nil {
		err = io.ErrShortWrite
	}
	return n, err
}

// TestDamagedBlob: a blob that the disk changed is found out by the registry, and
// made again.
func TestDamagedBlob(t *testing.T) {
	w := newWorld(t)
	res := w.mustBuild()
	last := res.Layers[len(res.Layers)-1]
	c := newCache(w.request.CacheDir)
	data, err := os.ReadFile(c.blob(last.Digest))
	require.NoError(t, err)
	data[len(data)/2] ^= 0xff
	require.NoError(t, os.WriteFile(c.blob(last.Digest), data, 0o600))
	w.request.Push = newServer(t).host + "/ml"
	res = w.mustBuild()
	assert.Contains(t, states(res), "source:uploaded")

	require.NoError(t, os.Truncate(c.blob(last.Digest), 3))
	w.request.Push = newServer(t).host + "/ml"
	res = w.mustBuild()
	assert.Contains(t, states(res), "source:uploaded")
}

// The two tests below run a build in a process of its own: this test binary.
const childEnv = "TEST_IMAGE_BUILD"

func child(t *testing.T, w *world, mode string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+mode, "T_BASE="+w.request.BaseImage, "T_PUSH="+w.request.Push, "T_APP="+w.app,
		"T_CACHE="+w.request.CacheDir, "T_SHIM="+w.request.ShimDir)
	return cmd
}

func TestKilledWhileUploading(t *testing.T) {
	w := newWorld(t)
	w.file("big.bin", noise(200<<10))
	arrived := make(chan struct{})
	release := make(chan struct{})
	var once sync.Once
	w.s.faults(func(rw http.ResponseWriter, r *http.Request) bool {
		if !sends(r) || r.ContentLength < 4<<10 { // not the config
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 100)
		once.Do(func() { close(arrived) })
		<-release
		panic(http.ErrAbortHandler)
	})
	cmd := child(t, w, "build")
	require.NoError(t, cmd.Start())
	<-arrived
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	close(release)
	w.s.faults(nil)
	res := w.mustBuild()
	require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
}

func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	w.file("big.bin", noise(300<<10))
	out, err := child(t, w, "full").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "the disk is full")
	res := w.mustBuild()
	require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
	for _, dir := range []string{"tmp", "partial"} {
		left, _ := os.ReadDir(w.request.CacheDir + "/images/" + dir)
		assert.Empty(t, left)
	}
}
