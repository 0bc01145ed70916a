//go:build linux

package image

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// errCut ends a connection in both directions.
var errCut = errors.New("cut by the test")

// front is a relay before the registry that counts, and can be told to fail.
type front struct {
	*httptest.Server
	host string

	mu sync.Mutex
	// fault says whether it has answered.
	fault func(w http.ResponseWriter, r *http.Request) bool
	// breaks says after how many bytes of its body a request breaks off, on both
	// sides; negative: never.
	breaks func(r *http.Request) int64
	// broken is called at the break, before the connections end.
	broken func()
	asked  []*passage
}

// passage is one request about an upload that went through the front.
type passage struct {
	method, path string
	digest       string // of the upload that it ended
	from         int64  // where the piece began, by its Content-Range; -1 without one
	bytes        int64  // of its body, that came through
	stands       string // the Range of the answer
	code         int
}

func newFront(t testing.TB, registry string) *front {
	target, err := url.Parse("http://" + registry)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	f := &front{}
	type key struct{}
	proxy.ModifyResponse = func(resp *http.Response) error {
		if p, ok := resp.Request.Context().Value(key{}).(*passage); ok {
			f.mu.Lock()
			defer f.mu.Unlock()
			p.code, p.stands = resp.StatusCode, resp.Header.Get("Range")
		}
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		if errors.Is(err, errCut) {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusBadGateway)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		fault := f.fault
		f.mu.Unlock()
		if fault != nil && fault(w, r) {
			return
		}
		if strings.Contains(r.URL.Path, "/blobs/uploads/") {
			p := &passage{method: r.Method, path: r.URL.Path, digest: r.URL.Query().Get("digest"), from: -1}
			if from, _, ok := strings.Cut(r.Header.Get("Content-Range"), "-"); ok {
				p.from, _ = strconv.ParseInt(from, 10, 64)
			}
			left := int64(-1)
			f.mu.Lock()
			if f.breaks != nil {
				left = f.breaks(r)
			}
			f.asked = append(f.asked, p)
			f.mu.Unlock()
			r.Body = &relayed{ReadCloser: r.Body, f: f, p: p, left: left}
			r = r.WithContext(context.WithValue(r.Context(), key{}, p))
		}
		proxy.ServeHTTP(w, r)
	}))
	f.host = strings.TrimPrefix(f.URL, "http://")
	t.Cleanup(f.Close)
	return f
}

func (f *front) set(fault func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// setBreaks lets requests break off, or ends that.
func (f *front) setBreaks(after func(r *http.Request) int64, broken func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.breaks, f.broken = after, broken
}

// all is what went through, in order.
func (f *front) all() (list []passage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.asked {
		list = append(list, *p)
	}
	return list
}

// upload is what went through for one blob: the requests of the upload that brought
// it there.
func (f *front) upload(digest string) []passage {
	all := f.all()
	at := slices.IndexFunc(all, func(p passage) bool { return p.digest == digest && p.code == http.StatusCreated })
	if at < 0 {
		return nil
	}
	path := all[at].path
	return slices.DeleteFunc(all, func(p passage) bool { return p.path != path })
}

// carried are the bytes of all bodies that came through.
func (f *front) carried() (n int64) {
	for _, p := range f.all() {
		n += p.bytes
	}
	return n
}

// relayed counts a body, and breaks it off.
type relayed struct {
	io.ReadCloser
	f    *front
	p    *passage
	left int64 // negative = it does not break
}

func (r *relayed) Read(b []byte) (int, error) {
	if r.left == 0 {
		r.f.mu.Lock()
		broken := r.f.broken
		r.f.mu.Unlock()
		if broken != nil {
			broken()
		}
		return 0, errCut
	}
	if r.left > 0 {
		b = b[:min(int64(len(b)), r.left)]
	}
	n, err := r.ReadCloser.Read(b)
	if r.left > 0 {
		r.left -= int64(n)
	}
	r.f.mu.Lock()
	r.p.bytes += int64(n)
	r.f.mu.Unlock()
	return n, err
}
