package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// given checks an image that is run as it is. A tag becomes the digest that it
// names now, so that all nodes and attempts run the same image.
func (r *Request) given(ctx context.Context, c *connector) (*Result, error) {
	if len(r.Sources) > 0 || r.needsPython() {
		return nil, config("image is run as it is: source and requirements cannot go into it", "use base_image instead: stephost then builds an image on it")
	}
	ref, err := c.reference(r.Image)
	if err != nil {
		return nil, config(fmt.Sprintf("%q is no name of an image", r.Image), `write for example image = "registry.example.com/ml/train@sha256:..."`)
	}
	var d *v1.Descriptor
	_, err = c.open(ctx, ref.Context(), false, nil, func(ctx context.Context, s *session) (err error) {
		d, err = s.head(ctx, ref)
		return err
	})
	digest, byDigest := ref.(name.Digest)
	switch {
	case err == nil:
		res := &Result{Reference: ref.Context().Name() + "@" + d.Digest.String()}
		r.checkGivenGPU(ctx, c, res)
		return res, nil
	case absent(err):
		return nil, missingImage(ref, err)
	case ctx.Err() != nil || !byDigest:
		return nil, err
	}
	// The machines that run it may reach a registry that this one cannot.
	var refused *refusedError
	why := "it cannot be reached from here"
	if errors.As(err, &refused) {
		why = "there are no credentials for it here"
	}
	return &Result{Reference: digest.Name(), Warnings: []string{
		fmt.Sprintf("Whether %s exists could not be checked: %s.", digest.Name(), why)}}, nil
}

// checkGivenGPU warns of what an image that is run as it is says of GPUs: its config
// is read, and its packages where a build has read them. What cannot be read is no
// reason not to run it.
func (r *Request) checkGivenGPU(ctx context.Context, c *connector, res *Result) {
	if r.GPU == 0 || r.CacheDir == "" {
		return
	}
	cache := newCache(r.CacheDir)
	b, err := resolveBase(ctx, c, cache, res.Reference, r.Platform)
	if err != nil {
		return
	}
	r.checkGPU(res, b, r.known(ctx, cache, b))
}
