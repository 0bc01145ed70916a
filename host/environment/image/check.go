package image

import (
	"context"
	"fmt"
	"net/http"
)

// Finding is one thing that Check found out: what is well, a warning, or what
// would fail, with a *problem.Error.
type Finding struct {
	Text    string
	Warning bool
	Err     error
}

// Check looks at what Build needs: is the base there, may the registry be pushed
// to, does the base fit a GPU. It sends nothing but the beginning of an upload,
// which it takes back; no image and no layer is made.
func Check(ctx context.Context, r Request) []Finding {
	c := newConnector(&r)
	defer c.close()
	failed := func(err error) []Finding { return []Finding{{Err: explain(ctx, err)}} }
	if r.Image != "" {
		res, err := r.given(ctx, c)
		if err != nil {
			return failed(err)
		}
		out := []Finding{{Text: "the image is " + res.Reference}}
		for _, w := range res.Warnings {
			out = append(out, Finding{Text: w, Warning: true})
		}
		return out
	}
	if err := r.check(); err != nil {
		return failed(err)
	}
	var out []Finding
	if r.Dockerfile == "" {
		out = append(out, r.checkBase(ctx, c)...)
	}
	if r.Push != "" {
		out = append(out, r.checkPush(ctx, c))
	}
	return out
}

func (r *Request) checkBase(ctx context.Context, c *connector) []Finding {
	cache := newCache(r.CacheDir)
	b, err := resolveBase(ctx, c, cache, r.BaseImage, r.Platform)
	if err != nil {
		return []Finding{{Err: explain(ctx, err)}}
	}
	out := []Finding{{Text: fmt.Sprintf("the base is %s for %s", b.display(), b.platform.String())}}
	res := &Result{}
	k := r.known(ctx, cache, b)
	r.checkGPU(res, b, k)
	if r.GPU > 0 && !k.whole {
		out = append(out, Finding{Text: unknownPackages})
	}
	for _, w := range res.Warnings {
		out = append(out, Finding{Text: w, Warning: true})
	}
	return out
}

// checkPush begins an upload and takes it back.
func (r *Request) checkPush(ctx context.Context, c *connector) Finding {
	repo, err := c.repository(repositoryFor(r.Push))
	if err != nil {
		return Finding{Err: config(fmt.Sprintf("%q is no registry", r.Push), `write for example registry = "registry.example.com/ml"`)}
	}
	s, err := c.open(ctx, repo, true, nil, func(ctx context.Context, s *session) error {
		place, _, err := s.begin(ctx, "", nil)
		if err == nil {
			s.abandon(ctx, place)
		}
		return err
	})
	if err != nil {
		return Finding{Err: explain(ctx, err)}
	}
	return Finding{Text: fmt.Sprintf("images can be pushed to %s, with %s", repo.Name(), s.source)}
}

// abandon takes an upload back. A registry that cannot forgets it by itself.
func (s *session) abandon(ctx context.Context, place string) {
	req, err := s.request(ctx, http.MethodDelete, place, nil)
	if err != nil {
		return
	}
	if resp, err := s.client.Do(req); err == nil {
		drain(resp)
	}
}
