package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
)

// tokenUser is the user name for access tokens of Google Cloud
// (https://cloud.google.com/artifact-registry/docs/docker/authentication#token).
const tokenUser = "oauth2accesstoken"

// tokenLives is what an access token lives at most where its end is not told.
const tokenLives = 30 * time.Minute

// RegistryAuth gives the login's access token for Artifact Registry and the old
// Container Registry, and makes the repository if asked.
func (v *vertex) RegistryAuth(ctx context.Context, c Config, r pluginsdk.RegistryRequest) (pluginsdk.RegistryCredentials, error) {
	var none pluginsdk.RegistryCredentials
	location, artifact := artifactLocation(r.Registry)
	if !artifact && !containerRegistry(r.Registry) {
		return none, pluginsdk.ErrNotOurs
	}
	q, err := v.open(ctx, c)
	if err != nil {
		return none, err
	}
	token, expires, err := q.Token(ctx)
	if err != nil {
		return none, gcp.Ask(err)
	}
	if expires.IsZero() {
		expires = time.Now().Add(tokenLives)
	}
	out := pluginsdk.RegistryCredentials{Username: tokenUser, Password: pluginsdk.NewSecret(token), ExpiresAt: expires}
	if r.Create && artifact {
		if out.Created, err = q.makeRepository(ctx, location, r.Repository); err != nil {
			return none, err
		}
	}
	return out, nil
}

// makeRepository makes the repository of PROJECT/REPOSITORY/IMAGE if it is
// missing.
func (q *session) makeRepository(ctx context.Context, location, repository string) (created bool, err error) {
	parts := strings.SplitN(repository, "/", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return false, pluginsdk.Config("environment.registry", "an image of Artifact Registry is named LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE, and %q has no repository", repository)
	}
	there, err := q.RepositoryExists(ctx, parts[0], location, parts[1])
	if err != nil || there {
		return false, q.repositoryError(parts, err)
	}
	created, err = q.CreateRepository(ctx, parts[0], location, parts[1])
	return created, q.repositoryError(parts, err)
}

func (q *session) repositoryError(parts []string, err error) error {
	if gcp.IsHTTP(err, http.StatusForbidden) {
		return pluginsdk.Config("environment.registry", "%s may not look for or make the repository %s in %s: %w", account(q.Who()), parts[1], parts[0], err)
	}
	return q.ask(err)
}

// artifactLocation is the location of a host of Artifact Registry, for example
// europe-west1 of europe-west1-docker.pkg.dev.
func artifactLocation(registry string) (string, bool) {
	location, ok := strings.CutSuffix(registry, "-docker.pkg.dev")
	return location, ok && location != "" && !strings.ContainsAny(location, "./:")
}

func containerRegistry(registry string) bool {
	return registry == "gcr.io" || strings.HasSuffix(registry, ".gcr.io")
}
