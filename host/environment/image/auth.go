package image

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// The variables that hold credentials for the step's registry.
const (
	usernameEnv = "STEPHOST_REGISTRY_USERNAME"
	passwordEnv = "STEPHOST_REGISTRY_PASSWORD"
	tokenEnv    = "STEPHOST_REGISTRY_TOKEN"
	// hostEnv says which registry they are for; without it, the one that the step
	// names as its registry, and no other.
	hostEnv = "STEPHOST_REGISTRY_HOST"
)

// helperBound bounds a credential helper: gcloud's takes seconds, one that waits
// for a person would wait for ever.
const helperBound = 30 * time.Second

// credentialSource is one place where credentials may be. get returns nil when it
// has none for this repository.
type credentialSource struct {
	name string
	get  func(context.Context) (authn.Authenticator, error)
}

// sources are tried in this order. Nobody's credentials come last, for a registry
// on a laptop takes them, and one that does not says so by 401. Where the registry
// asks nobody for credentials they come before the plugin, which takes as long to
// start as the rest of a build that changes nothing.
func (c *connector) sources(repo name.Repository, push bool) []credentialSource {
	list := []credentialSource{
		{"the Docker config", func(ctx context.Context) (authn.Authenticator, error) { return dockerConfig(ctx, repo) }},
		{usernameEnv, func(context.Context) (authn.Authenticator, error) { return c.fromEnvironment(repo), nil }},
		{"the operator's plugin", func(ctx context.Context) (authn.Authenticator, error) { return c.fromPlugin(ctx, repo, push) }},
		{nobody, func(context.Context) (authn.Authenticator, error) { return authn.Anonymous, nil }},
	}
	if c.anonymous(repo.RegistryStr()) {
		list[2], list[3] = list[3], list[2]
	}
	return list
}

// nobody names the source that has no credentials.
const nobody = "no credentials"

// dockerConfig asks Docker's config, its helpers, or Podman's file. A helper knows
// nothing of contexts: it is left behind when it hangs.
func dockerConfig(ctx context.Context, repo name.Repository) (authn.Authenticator, error) {
	ctx, cancel := context.WithTimeout(ctx, helperBound)
	defer cancel()
	type answer struct {
		auth authn.Authenticator
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		a, err := authn.DefaultKeychain.Resolve(repo)
		done <- answer{a, err}
	}()
	select {
	case <-ctx.Done():
		return nil, errors.New("its credential helper did not answer")
	case a := <-done:
		if a.err != nil || a.auth == authn.Anonymous {
			return nil, a.err
		}
		return a.auth, nil
	}
}

func (c *connector) environ(name string) string {
	if c.r.Environ == nil {
		return os.Getenv(name)
	}
	for i := len(c.r.Environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(c.r.Environ[i], "="); k == name {
			return v
		}
	}
	return ""
}

// fromEnvironment never sends the step's credentials to another registry.
func (c *connector) fromEnvironment(repo name.Repository) authn.Authenticator {
	user, password, token := c.environ(usernameEnv), c.environ(passwordEnv), c.environ(tokenEnv)
	host := c.environ(hostEnv)
	if host == "" && c.r.Push != "" {
		host, _, _ = strings.Cut(repositoryFor(c.r.Push), "/")
	}
	if host != repo.RegistryStr() && !(host == "docker.io" && repo.RegistryStr() == name.DefaultRegistry) {
		return nil
	}
	switch {
	case token != "":
		return authn.FromConfig(authn.AuthConfig{RegistryToken: token})
	case user != "" || password != "":
		return authn.FromConfig(authn.AuthConfig{Username: user, Password: password})
	}
	return nil
}

func (c *connector) fromPlugin(ctx context.Context, repo name.Repository, push bool) (authn.Authenticator, error) {
	if c.r.Auth == nil {
		return nil, nil
	}
	got, err := c.r.Auth(ctx, AuthRequest{Registry: repo.RegistryStr(), Repository: repo.RepositoryStr(), Push: push})
	if err != nil || got == nil {
		return nil, err
	}
	return authn.FromConfig(authn.AuthConfig{Username: got.Username, Password: got.Password}), nil
}
