package image

import (
	"net"
	"net/netip"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// ownRepository is added where a registry is only a host, or where its vendor
// wants one more part.
const ownRepository = "stephost"

// repositoryFor is the repository in a registry as a person wrote it: as written
// where it has a path, which may be the only repository that they can push to.
func repositoryFor(registry string) string {
	host, path, _ := strings.Cut(registry, "/")
	parts := strings.Count(path, "/") + 1
	switch {
	case path == "" && !isHost(host):
		// "user" alone is a name on Docker Hub.
		return "docker.io/" + host + "/" + ownRepository
	case path == "":
		return host + "/" + ownRepository
	case host == "docker.io" && parts == 1:
		return registry + "/" + ownRepository
	case strings.HasSuffix(host, "-docker.pkg.dev") && parts == 2:
		// https://cloud.google.com/artifact-registry/docs/docker/names: LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE
		return registry + "/" + ownRepository
	}
	return registry
}

// isHost tells a host from the first part of a path, as Docker does.
func isHost(s string) bool { return strings.ContainsAny(s, ".:") || s == "localhost" }

// loopback says whether a registry is on this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// insecureEnv names the registries that may be spoken to in plain HTTP, as
// host:port, separated by commas.
const insecureEnv = "STEPHOST_INSECURE_REGISTRIES"

// plain says whether plain HTTP is allowed.
func (c *connector) plain(host string) bool {
	if loopback(host) {
		return true
	}
	for named := range strings.SplitSeq(c.environ(insecureEnv), ",") {
		if named = strings.TrimSpace(named); named != "" && strings.EqualFold(named, host) {
			return true
		}
	}
	return false
}

// repository parses a repository. It never becomes one that may speak plain HTTP
// by its name alone: see connector.RoundTrip.
func (c *connector) repository(text string) (name.Repository, error) {
	host, _, _ := strings.Cut(text, "/")
	if c.plain(host) {
		return name.NewRepository(text, name.Insecure)
	}
	return name.NewRepository(text)
}

// reference parses an image.
func (c *connector) reference(text string) (name.Reference, error) {
	host, _, _ := strings.Cut(text, "/")
	if c.plain(host) {
		return name.ParseReference(text, name.Insecure)
	}
	return name.ParseReference(text)
}
