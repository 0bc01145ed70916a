package requirements

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/problem"
)

func TestTargetKeepsSecrets(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		secret, other := "hunter2hunter2", "swordfish99swordfish"
		links := wheels(t)
		url, _ := index(t, links, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, password, _ := r.BasicAuth(); password != secret && password != other {
					w.Header().Set("WWW-Authenticate", "Basic")
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		cache := t.TempDir()
		var said []string
		r := TargetRequest{Base: slim(), CacheDir: cache, Environ: environ, Progress: func(s string) { said = append(said, s) }}
		var first *Target
		for _, s := range []string{secret, other} {
			r.Requirements = []string{"--index-url " + strings.Replace(url, "//", "//user:"+s+"@", 1) + "/simple/", "small"}
			out := target(t, r)
			if first == nil {
				first = out
			}
			assert.Equal(t, first, out, "another password is the same request")
		}
		r.Requirements[0] = "--index-url " + strings.Replace(url, "//", "//user:wrong-"+secret+"@", 1) + "/simple/"
		r.Requirements[1] = "small>0"
		_, err := ResolveTarget(t.Context(), r)
		p := kindIs(t, err, Denied)
		text := strings.Join(append(append(said, first.Warnings...), p.Error(), p.Detail, p.Next), "\n")
		assert.NotContains(t, text, secret)
		out, err := exec.Command("grep", "-rlE", secret+"|"+other, cache).CombinedOutput()
		assert.Error(t, err, "a secret is in: %s", out)
	})
}

// TestTargetKeepsSecretsInTheToolsOwnWords: whatever way a credential came in, and whatever
// uv, pip and git print when it does not work, it is neither shown nor logged nor
// kept. Some print an address as it was given, some what it means.
func TestTargetKeepsSecretsInTheToolsOwnWords(t *testing.T) {
	eachTool(t, func(t *testing.T, environ []string) {
		const secret, encoded = "open:sesame/4711", "open%3Asesame%2F4711"
		links := wheels(t)
		url, _ := index(t, links, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, password, _ := r.BasicAuth(); password != secret {
					w.Header().Set("WWW-Authenticate", "Basic")
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		with := func(password, path string) string {
			return strings.Replace(url, "//", "//user:"+password+"@", 1) + path
		}
		empty, _ := index(t, t.TempDir(), nil)
		nobody := "http://user:" + encoded + "@127.0.0.1:1"
		for name, tc := range map[string]struct {
			lines, environ []string
			fails          bool
		}{
			"an index in a line":           {[]string{"--index-url " + with(encoded, "/simple/"), "small"}, nil, false},
			"an index in variables":        {[]string{"small"}, []string{"PIP_INDEX_URL=" + with(encoded, "/simple/"), "UV_DEFAULT_INDEX=" + with(encoded, "/simple/")}, false},
			"one more index":               {[]string{"--index-url " + empty + "/simple/", "--extra-index-url " + with(encoded, "/simple/"), "small"}, nil, false},
			"an address of a file":         {[]string{"--index-url " + with(encoded, "/simple/"), "small @ " + with(encoded, "/files/small-1.0-py3-none-any.whl")}, nil, false},
			"an index that refuses it":     {[]string{"--index-url " + with(encoded+"-old", "/simple/"), "small"}, nil, true},
			"a file that is not there":     {[]string{"small @ " + with(encoded, "/files/small-9.0-py3-none-any.whl")}, nil, true},
			"an index where nobody is":     {[]string{"--index-url " + nobody + "/simple/", "small"}, nil, true},
			"a repository where nobody is": {[]string{"small @ git+" + nobody + "/small.git"}, nil, true},
			"a line that is wrong":         {[]string{"--index-url " + with(encoded, "/simple/"), "small @@ " + nobody}, nil, true},
		} {
			cache := t.TempDir()
			var said []string
			var logged bytes.Buffer
			out, err := ResolveTarget(t.Context(), TargetRequest{Base: slim(), CacheDir: cache, Environ: append(slices.Clip(environ), tc.environ...), Requirements: tc.lines,
				Progress: func(s string) { said = append(said, s) }, Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &logged})})
			assert.Equal(t, tc.fails, err != nil, "%s: %v %s", name, err, detailOf(err))
			text := strings.Join(said, "\n") + logged.String()
			if err != nil {
				var p *problem.Error
				require.ErrorAs(t, err, &p, name)
				text += fmt.Sprintf("%v %+v %s %s %s", err, p, p.Detail, p.Next, p.Summary)
			} else {
				text += fmt.Sprint(out)
			}
			for _, s := range []string{secret, encoded, "sesame"} {
				assert.NotContains(t, text, s, name)
				found, err := exec.Command("grep", "-rlF", s, cache).CombinedOutput()
				assert.Error(t, err, "%s: a secret is in: %s", name, found)
			}
		}
	})
}
