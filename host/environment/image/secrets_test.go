package image

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/internal/wheel"
)

// TestNoSecretInTheImage greps everything that was pushed, said and logged for the
// credentials of the index, of the registry and of the environment.
func TestNoSecretInTheImage(t *testing.T) {
	const indexPassword, registryPassword, stepSecret = "index-pa55word", "registry-pa55word", "step-pa55word"
	w := newWorld(t)
	_, err := wheel.Write(filepath.Join(w.dir, "wheels"), "tiny", "1.0")
	require.NoError(t, err)
	var asked bool
	index := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != indexPassword {
			rw.Header().Set("WWW-Authenticate", `Basic realm="index"`)
			rw.WriteHeader(401)
			return
		}
		asked = true
		switch {
		case r.URL.Path == "/simple/tiny/":
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, `<a href="/files/tiny-1.0-py3-none-any.whl">tiny-1.0-py3-none-any.whl</a>`)
		case strings.HasPrefix(r.URL.Path, "/files/"):
			http.ServeFile(rw, r, filepath.Join(w.dir, "wheels", filepath.Base(r.URL.Path)))
		default:
			rw.WriteHeader(404)
		}
	}))
	t.Cleanup(index.Close)
	w.guard("ann", registryPassword, func(r *http.Request) bool { return r.Method == "POST" || r.Method == "PATCH" })
	w.request.Environ = plain("PIP_INDEX_URL="+strings.Replace(index.URL, "http://", "http://ann:"+indexPassword+"@", 1)+"/simple/", "PIP_NO_INDEX=0",
		usernameEnv+"=ann", passwordEnv+"="+registryPassword, "HF_TOKEN="+stepSecret)
	var kept []string
	for _, kv := range w.request.Environ {
		if kv != "PIP_NO_INDEX=1" && kv != "PIP_NO_INDEX=0" {
			kept = append(kept, kv)
		}
	}
	w.request.Environ = kept
	w.request.Requirements = []string{"tiny==1.0"}
	var logged bytes.Buffer
	w.request.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &logged})
	res := w.mustBuild()
	require.True(t, asked, "the index was asked")
	require.Len(t, res.Packages, 1)

	img := w.s.pull(t, res.Reference)
	manifest, err := img.RawManifest()
	require.NoError(t, err)
	config, err := img.RawConfigFile()
	require.NoError(t, err)
	seen := map[string][]byte{"manifest": manifest, "config": config, "log": logged.Bytes(), "progress": []byte(w.output()),
		"warnings": []byte(strings.Join(res.Warnings, "\n"))}
	layers, err := img.Layers()
	require.NoError(t, err)
	for _, l := range layers {
		for _, f := range untar(t, l) {
			seen["layer: "+f.Name] = []byte(f.Name + f.Linkname + f.text)
		}
	}
	// What stays in the cache may be read by whoever reads the home.
	require.NoError(t, filepath.WalkDir(filepath.Join(w.request.CacheDir, "images"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		seen["cache: "+p], err = os.ReadFile(p)
		return err
	}))
	require.Greater(t, len(seen), 20)
	for where, text := range seen {
		for _, secret := range []string{indexPassword, registryPassword, stepSecret} {
			assert.False(t, bytes.Contains(text, []byte(secret)), "%s is in %s", secret, where)
		}
	}
}
