package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// manifestLimit bounds a manifest or config; registries take 4 MiB.
const manifestLimit = 8 << 20

// base is the image that is built on, for one platform.
type base struct {
	ref      name.Reference
	platform v1.Platform
	digest   string
	manifest *v1.Manifest
	config   *v1.ConfigFile
	// rawConfig keeps what the struct does not know.
	rawConfig []byte
	c         *connector
	cache     *cache
	mu        sync.Mutex
	s         *session // nil until something had to be asked
}

// display is the base by digest.
func (b *base) display() string { return b.ref.Context().Name() + "@" + b.digest }

func parsePlatform(text string) (v1.Platform, error) {
	if text == "" {
		text = DefaultPlatform
	}
	p, err := v1.ParsePlatform(text)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return v1.Platform{}, config(fmt.Sprintf("%q is no platform", text), `write for example platform = "linux/amd64"`)
	}
	return *p, nil
}

// head is what a tag or digest names in a registry now: one small request.
func (s *session) head(ctx context.Context, ref name.Reference) (*v1.Descriptor, error) {
	d, err := remote.Head(ref, remote.WithContext(ctx), remote.WithTransport(s.rt))
	if err == nil || statusOf(err) != 0 || ctx.Err() != nil {
		return d, err
	}
	// Some registries answer HEAD without a digest.
	got, err := remote.Get(ref, remote.WithContext(ctx), remote.WithTransport(s.rt))
	if err != nil {
		return nil, err
	}
	return &got.Descriptor, nil
}

// resolveBase finds the base. A tag is asked for each time, since it may have
// moved; what a digest names is kept for ever.
func resolveBase(ctx context.Context, c *connector, cache *cache, text, platform string) (*base, error) {
	p, err := parsePlatform(platform)
	if err != nil {
		return nil, err
	}
	ref, err := c.reference(text)
	if err != nil {
		return nil, noName(text)
	}
	b := &base{ref: ref, platform: p, c: c, cache: cache}
	digest := ref.Identifier()
	if _, ok := ref.(name.Digest); !ok {
		d, err := b.find(ctx)
		if err != nil {
			return nil, err
		}
		digest = d.Digest.String()
	}
	raw, err := b.document(ctx, digest, true)
	if err != nil {
		return nil, err
	}
	if raw, err = b.choose(ctx, digest, raw); err != nil {
		return nil, err
	}
	if b.manifest, err = v1.ParseManifest(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("the manifest of %s: %w", b.display(), err)
	}
	if b.rawConfig, err = b.document(ctx, b.manifest.Config.Digest.String(), false); err != nil {
		return nil, err
	}
	if b.config, err = v1.ParseConfigFile(bytes.NewReader(b.rawConfig)); err != nil {
		return nil, fmt.Errorf("the config of %s: %w", b.display(), err)
	}
	if len(b.config.RootFS.DiffIDs) != len(b.manifest.Layers) {
		return nil, config(fmt.Sprintf("%s is no container image: its config and its layers do not fit together", text), "use another base_image")
	}
	if arch := b.config.Architecture; arch != "" && arch != p.Architecture {
		return nil, config(fmt.Sprintf("%s is an image for %s/%s, and %s is wanted", text, b.config.OS, arch, p.String()),
			fmt.Sprintf(`use a base_image for %s, or set platform = "%s/%s" if the machine is one`, p.String(), b.config.OS, arch))
	}
	return b, nil
}

func noName(text string) error {
	return config(fmt.Sprintf("%q is no name of an image", text), `write for example base_image = "python:3.11-slim"`)
}

// find asks what the tag names.
func (b *base) find(ctx context.Context) (d *v1.Descriptor, err error) {
	_, err = b.session(ctx, func(ctx context.Context, s *session) error {
		d, err = s.head(ctx, b.ref)
		return err
	})
	return d, missingImage(b.ref, err)
}

// missingImage says in words that there is no such image.
func missingImage(ref name.Reference, err error) error {
	if err != nil && absent(err) {
		return config(fmt.Sprintf("there is no image %s in registry %s", ref.String(), ref.Context().RegistryStr()),
			"correct its name or tag; `stephost plan` shows where it was written")
	}
	return err
}

// session authenticates once; probe is the first question.
func (b *base) session(ctx context.Context, probe func(context.Context, *session) error) (*session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.s != nil {
		return b.s, b.s.c.retry(ctx, func() error { return probe(ctx, b.s) })
	}
	s, err := b.c.open(ctx, b.ref.Context(), false, nil, probe)
	if err == nil {
		b.s = s
	}
	return s, err
}

// document is a manifest, or the config blob, of a digest.
func (b *base) document(ctx context.Context, digest string, manifest bool) ([]byte, error) {
	path := b.cache.path("documents", hexOf(digest))
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	var raw []byte
	if b.cache.readDocument(path, h, &raw) {
		return raw, nil
	}
	_, err = b.session(ctx, func(ctx context.Context, s *session) error {
		if manifest {
			got, err := remote.Get(b.ref.Context().Digest(digest), remote.WithContext(ctx), remote.WithTransport(s.rt))
			if err == nil {
				raw = got.Manifest
			}
			return err
		}
		raw, err = s.small(ctx, digest)
		return err
	})
	if err != nil {
		return nil, missingImage(b.ref, err)
	}
	return raw, b.cache.write(path, func(w io.Writer) error { _, err := w.Write(raw); return err })
}

// readDocument reads a document that is what its digest says.
func (c *cache) readDocument(path string, want v1.Hash, into *[]byte) bool {
	data, err := readSmall(path)
	if err != nil {
		return false
	}
	got, _, err := v1.SHA256(bytes.NewReader(data))
	*into = data
	return err == nil && got == want
}

// choose takes the platform's image out of an index.
func (b *base) choose(ctx context.Context, digest string, raw []byte) ([]byte, error) {
	var kind struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, fmt.Errorf("the manifest of %s: %w", b.ref, err)
	}
	b.digest = digest
	if !kind.MediaType.IsIndex() && len(kind.Manifests) == 0 {
		return raw, nil
	}
	var have []string
	for _, m := range kind.Manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" { // attestations
			continue
		}
		if m.Platform.Satisfies(b.platform) {
			b.digest = m.Digest.String()
			return b.document(ctx, b.digest, true)
		}
		have = append(have, m.Platform.String())
	}
	return nil, config(fmt.Sprintf("%s has no image for %s", b.ref, b.platform.String()),
		fmt.Sprintf("use another base_image, or set environment.platform to what the backend's machines are; it has %s", strings.Join(have, ", ")))
}

// small reads a small blob whole.
func (s *session) small(ctx context.Context, digest string) ([]byte, error) {
	req, err := s.request(ctx, "GET", s.url("blobs/"+digest), nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.do(req, 200)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, manifestLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > manifestLimit {
		return nil, errors.New("the config is larger than any config")
	}
	if got, _, err := v1.SHA256(bytes.NewReader(data)); err != nil || got.String() != digest {
		return nil, fmt.Errorf("%s: %w", digest, io.ErrUnexpectedEOF) // cut short: ask again
	}
	return data, nil
}

// layerBytes is what the base's layers weigh, compressed.
func (b *base) layerBytes() (n int64) {
	for _, l := range b.manifest.Layers {
		n += l.Size
	}
	return n
}
