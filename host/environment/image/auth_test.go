package image

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/problem"
)

// guard wants a password for what matches.
func (w *world) guard(user, password string, match func(*http.Request) bool) {
	w.s.faults(func(rw http.ResponseWriter, r *http.Request) bool {
		u, p, _ := r.BasicAuth()
		if !match(r) || u == user && p == password {
			return false
		}
		answer(401, "WWW-Authenticate", `Basic realm="registry"`)(rw, r)
		return true
	})
}

func dockerLogin(t *testing.T, host, user, password string) {
	dir := filepath.Join(os.Getenv("HOME"), ".docker")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"`+host+`":{"auth":"`+auth+`"}}}`), 0o600))
}

// helper is a credential helper of a registry, as Docker's config names them.
func helper(t *testing.T, host, script string) {
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	dir := filepath.Join(os.Getenv("HOME"), ".docker")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credHelpers":{"`+host+`":"test"}}`), 0o600))
}

func TestCredentials(t *testing.T) {
	const user, password = "ann", "s3cr3t-of-the-registry"
	for name, give := range map[string]func(t *testing.T, w *world){
		"the Docker config": func(t *testing.T, w *world) { dockerLogin(t, w.s.host, user, password) },
		"variables": func(t *testing.T, w *world) {
			w.request.Environ = []string{usernameEnv + "=" + user, passwordEnv + "=" + password}
		},
		"the plugin": func(t *testing.T, w *world) {
			w.request.Auth = func(_ context.Context, q AuthRequest) (*Credentials, error) {
				assert.Equal(t, w.s.host, q.Registry)
				return &Credentials{Username: user, Password: password}, nil
			}
		},
		"the plugin, where the Docker login is old": func(t *testing.T, w *world) {
			dockerLogin(t, w.s.host, user, "expired")
			w.request.Auth = func(context.Context, AuthRequest) (*Credentials, error) {
				return &Credentials{Username: user, Password: password}, nil
			}
		},
		"Podman's file": func(t *testing.T, w *world) {
			file := filepath.Join(t.TempDir(), "auth.json")
			auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
			require.NoError(t, os.WriteFile(file, []byte(`{"auths":{"`+w.s.host+`":{"auth":"`+auth+`"}}}`), 0o600))
			t.Setenv("REGISTRY_AUTH_FILE", file)
		},
		"variables, where the helper fails": func(t *testing.T, w *world) {
			helper(t, w.s.host, "echo the keyring is locked; exit 1")
			w.request.Environ = []string{usernameEnv + "=" + user, passwordEnv + "=" + password}
		},
		"a helper": func(t *testing.T, w *world) {
			helper(t, w.s.host, `echo '{"Username":"`+user+`","Secret":"`+password+`"}'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.guard(user, password, any1)
			give(t, w)
			w.mustBuild()
			assert.NotContains(t, w.output(), password)
		})
	}
	t.Run("none is good enough", func(t *testing.T) {
		w := newWorld(t)
		w.guard(user, password, any1)
		dockerLogin(t, w.s.host, user, "expired-password")
		w.request.Environ = []string{usernameEnv + "=ann", passwordEnv + "=wrong-password"}
		w.request.Auth = func(context.Context, AuthRequest) (*Credentials, error) {
			return nil, errors.New("the cloud login has expired")
		}
		_, err := w.build()
		var p *problem.Error
		require.ErrorAs(t, err, &p)
		assert.Equal(t, problem.Auth, p.Class)
		for _, want := range []string{"the Docker config: 401", usernameEnv + ": 401", "the operator's plugin: the cloud login has expired", "no credentials: 401"} {
			assert.Contains(t, p.Detail, want)
		}
		assert.NotContains(t, p.Error()+p.Detail+p.Next, "password-")
		assert.NotContains(t, p.Error()+p.Detail, "wrong-password")
	})
	t.Run("a helper that fails is named", func(t *testing.T) {
		w := newWorld(t)
		w.guard(user, password, any1)
		helper(t, w.s.host, "echo the keyring is locked; exit 1")
		_, err := w.build()
		var p *problem.Error
		require.ErrorAs(t, err, &p)
		assert.Contains(t, p.Detail, "the Docker config: ")
		assert.Contains(t, p.Detail, "the keyring is locked")
	})
	t.Run("a token", func(t *testing.T) {
		w := newWorld(t)
		w.s.faults(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "Bearer "+password {
				return false
			}
			answer(401, "WWW-Authenticate", `Bearer realm="http://`+r.Host+`/exchange",service="s"`)(rw, r)
			return true
		})
		w.request.Environ = []string{tokenEnv + "=" + password}
		w.mustBuild()
		assert.NotContains(t, w.output(), password)
	})
	t.Run("pull is open, push is not", func(t *testing.T) {
		w := newWorld(t)
		w.guard(user, password, func(r *http.Request) bool { return r.Method != "GET" && r.Method != "HEAD" })
		dockerLogin(t, w.s.host, user, "read-only")
		w.request.Environ = []string{usernameEnv + "=" + user, passwordEnv + "=" + password}
		w.mustBuild()
	})
}

// TestCredentialsGoToTheirRegistryOnly: the variables are for the step's registry.
func TestCredentialsGoToTheirRegistryOnly(t *testing.T) {
	w := newWorld(t)
	target := newServer(t)
	w.request.Push = target.host + "/ml"
	w.request.Environ = []string{usernameEnv + "=ann", passwordEnv + "=x"}
	var mu sync.Mutex
	leaked := 0
	w.guard("ann", "never", func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Authorization") != "" {
			leaked++
		}
		return false
	})
	w.mustBuild()
	assert.Zero(t, leaked)
}

// TestCredentialsOfAnotherRegistry: where the base's registry is the one that wants them,
// they are for that one alone.
func TestCredentialsOfAnotherRegistry(t *testing.T) {
	w := newWorld(t)
	w.guard("ann", "secret", any1)
	target := newServer(t)
	var leaked atomic.Int64
	target.faults(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		return false
	})
	w.request.Push = target.host + "/ml"
	w.request.Environ = []string{usernameEnv + "=ann", passwordEnv + "=secret"}
	_, err := w.build()
	assert.ErrorContains(t, err, "does not let you pull from base/py")
	w.request.Environ = append(w.request.Environ, hostEnv+"="+w.s.host)
	w.mustBuild()
	assert.Zero(t, leaked.Load())
}

func TestARepositoryThatThePluginMakes(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	made := false
	w.s.faults(func(rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if made || r.Method != http.MethodPost {
			return false
		}
		rw.WriteHeader(404)
		_, _ = rw.Write([]byte(`{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist"}]}`))
		return true
	})
	_, err := w.build()
	assert.ErrorContains(t, err, "the repository ml does not exist")
	w.request.Auth = func(_ context.Context, q AuthRequest) (*Credentials, error) {
		mu.Lock()
		defer mu.Unlock()
		made = made || q.Push && q.Repository == "ml"
		return &Credentials{Username: "AWS", Password: "x"}, nil
	}
	w.mustBuild()
}

func TestPlainHTTP(t *testing.T) {
	var r Request
	r.Environ = []string{insecureEnv + "=10.1.2.3:5000, kind-registry:5000"}
	c := newConnector(&r)
	for host, want := range map[string]bool{
		"localhost:5000": true, "127.0.0.1:5000": true, "[::1]:5000": true, "127.9.9.9": true,
		"10.1.2.3:5000": true, "kind-registry:5000": true,
		"10.1.2.3": false, "10.0.0.1:5000": false, "192.168.1.2:5000": false, "registry.local:5000": false, "example.com": false,
	} {
		assert.Equal(t, want, c.plain(host), host)
		req, err := http.NewRequest("GET", "http://"+host+"/v2/", nil)
		require.NoError(t, err)
		c.transport = refusing{}
		_, err = c.RoundTrip(req)
		var plain *plainError
		assert.Equal(t, !want, errors.As(err, &plain), host)
	}
	err := explain(t.Context(), &registryError{err: &plainError{"10.0.0.1:5000"}})
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	assert.Contains(t, p.Next, insecureEnv+"=10.0.0.1:5000")
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("not sent") }

func TestRepositoryFor(t *testing.T) {
	for in, want := range map[string]string{
		"localhost:5000":                           "localhost:5000/stephost",
		"registry.example.com":                     "registry.example.com/stephost",
		"registry.example.com/ml":                  "registry.example.com/ml",
		"1.dkr.ecr.eu-west-1.amazonaws.com/ml":     "1.dkr.ecr.eu-west-1.amazonaws.com/ml",
		"europe-docker.pkg.dev/project/repo":       "europe-docker.pkg.dev/project/repo/stephost",
		"europe-docker.pkg.dev/project/repo/image": "europe-docker.pkg.dev/project/repo/image",
		"docker.io/ann":                            "docker.io/ann/stephost",
		"docker.io/ann/train":                      "docker.io/ann/train",
		"ann":                                      "docker.io/ann/stephost",
	} {
		assert.Equal(t, want, repositoryFor(in), in)
	}
}

// A helper that waits for a person is left behind. helperBound ends the wait, or its
// caller before that, as here.
func TestAHelperThatHangs(t *testing.T) {
	w := newWorld(t)
	pid := filepath.Join(t.TempDir(), "pid")
	helper(t, w.s.host, "echo $$ > "+pid+".new; mv "+pid+".new "+pid+"; exec sleep 600")
	repo, err := name.NewRepository(w.s.host + "/steps")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var helperPID int
	go func() { // as soon as it hangs
		defer cancel()
		for ctx.Err() == nil {
			text, err := os.ReadFile(pid)
			if err == nil {
				helperPID, _ = strconv.Atoi(strings.TrimSpace(string(text)))
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err = dockerConfig(ctx, repo)
	require.ErrorContains(t, err, "its credential helper did not answer")
	require.NotZero(t, helperPID)
	p, err := os.FindProcess(helperPID)
	require.NoError(t, err)
	require.NoError(t, p.Kill()) // it was left behind, and still ran
}
