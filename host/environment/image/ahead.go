package image

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// aheadBound is how long a build asks for what only saves questions: a registry
// that takes longer is asked when there is something to push, with all retries.
const aheadBound = 10 * time.Second

// lastPush is the image that this machine pushed last for the same step: what it
// consists of need not be asked for blob by blob while the registry still has it.
type lastPush struct {
	Digest string   `json:"digest"`
	Blobs  []string `json:"blobs"`
}

// ahead is what the step's registry was asked while the image was still being made.
type ahead struct {
	file string
	last lastPush
	// s is open, and has last, unless it is nil.
	s *session
}

// lastFile is where the last push of this step is noted. Steps that share a
// repository must not hide each other's.
func (r *Request) lastFile(c *cache, repo name.Repository, base string) string {
	parts := []string{repo.Name(), base, r.Dockerfile, r.Platform, r.RequirementsFile, strings.Join(r.Requirements, "\n")}
	for _, root := range r.Sources {
		parts = append(parts, root.Path, root.Target)
	}
	return c.path("pushed", hexOf(keyOf(parts...)))
}

// askAhead logs in to the step's registry and asks whether it still has the image
// of the last build. A build that changes nothing needs no other question, and one
// that changes the code finds a connection and knows which layers are there.
func (r *Request) askAhead(ctx context.Context, c *connector, cache *cache, repo name.Repository, baseName string) *ahead {
	a := &ahead{file: r.lastFile(cache, repo, baseName)}
	if !cache.readJSON(a.file, &a.last) || a.last.Digest == "" {
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, aheadBound)
	defer cancel()
	s, err := c.open(ctx, repo, true, nil, func(ctx context.Context, s *session) error {
		_, err := s.head(ctx, repo.Digest(a.last.Digest))
		return err
	}, c.mountsFrom(baseName, repo)...)
	if err != nil { // gone, or not to be asked: the push will say why
		a.last = lastPush{}
		return a
	}
	a.s = s
	return a
}

// mountsFrom is the base's repository when the registry can take blobs from it
// without a byte being sent.
func (c *connector) mountsFrom(baseName string, repo name.Repository) []name.Repository {
	ref, err := c.reference(baseName)
	if err != nil {
		return nil
	}
	if from := ref.Context(); from.RegistryStr() == repo.RegistryStr() && from.RepositoryStr() != repo.RepositoryStr() {
		return []name.Repository{from}
	}
	return nil
}

// note remembers a push.
func (a *ahead) note(c *cache, img *composed) {
	if a.last.Digest == img.digest {
		return
	}
	last := lastPush{Digest: img.digest, Blobs: []string{img.configDigest}}
	for _, l := range img.base.manifest.Layers {
		if l.MediaType.IsDistributable() {
			last.Blobs = append(last.Blobs, l.Digest.String())
		}
	}
	for _, l := range img.layers {
		last.Blobs = append(last.Blobs, l.Digest)
	}
	_ = c.writeJSON(a.file, last) // a failure costs some questions, no more
}
