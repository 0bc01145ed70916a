package image

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// perRepository gives each repository its own blobs, as real registries do; the one
// in this process has one pile for all.
type perRepository struct {
	mu      sync.Mutex
	ml      map[string]bool // blobs of the repository ml
	mounts  []string
	refuse  bool // answers a mount with the beginning of an upload
	scopes  []string
	tokened bool // wants bearer tokens
}

func (p *perRepository) handle(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokened {
		if r.URL.Path == "/token" {
			p.scopes = append(p.scopes, r.URL.Query()["scope"]...)
			_, _ = io.WriteString(w, `{"token":"t"}`)
			return true
		}
		if r.Header.Get("Authorization") != "Bearer t" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)
			w.WriteHeader(401)
			return true
		}
	}
	if !strings.HasPrefix(r.URL.Path, "/v2/ml/blobs/") {
		return false
	}
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodHead && !p.ml[strings.TrimPrefix(r.URL.Path, "/v2/ml/blobs/")]:
		w.WriteHeader(404)
		return true
	case r.Method == http.MethodPost && q.Get("mount") != "" && !p.refuse:
		p.mounts = append(p.mounts, q.Get("from"))
		p.ml[q.Get("mount")] = true
		w.WriteHeader(http.StatusCreated)
		return true
	case r.Method == http.MethodPut:
		p.ml[q.Get("digest")] = true
	}
	return false
}

func TestMount(t *testing.T) {
	for name, tokened := range map[string]bool{"open": false, "with tokens": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := &perRepository{ml: map[string]bool{}, tokened: tokened}
			w.s.faults(p.handle)
			lines := w.s.since(func() {
				res := w.mustBuild()
				assert.Equal(t, "base:mounted base:mounted base:mounted shim:uploaded source:uploaded", states(res))
				assert.Less(t, res.UploadedBytes, int64(4<<10))
			})
			assert.Equal(t, []string{"base/py", "base/py", "base/py"}, p.mounts)
			assert.NotContains(t, w.output(), "travel")
			// The config is a blob too; no layer was read.
			assert.LessOrEqual(t, strings.Count(strings.Join(lines, "\n"), "GET /v2/base/py/blobs/"), 1)
			if tokened {
				assert.Contains(t, p.scopes, "repository:base/py:pull")
				assert.Contains(t, p.scopes, "repository:ml:push,pull")
			}
		})
	}
}

// TestMountRefused: a registry may take the bytes instead.
func TestMountRefused(t *testing.T) {
	w := newWorld(t)
	p := &perRepository{ml: map[string]bool{}, refuse: true}
	w.s.faults(p.handle)
	res := w.mustBuild()
	assert.Equal(t, "base:uploaded base:uploaded base:uploaded shim:uploaded source:uploaded", states(res))
	w.s.faults(nil)
	require.NoError(t, validate.Image(w.s.pull(t, res.Reference)))
}
