package image

import (
	"context"
	"errors"

	"github.com/stephost/stephost/host/environment/source"
)

// Plan is what Build would do.
type Plan struct {
	// Base is by digest where it could be asked, else as written.
	Base, Platform string
	// Push and Pull are repositories; empty when nothing is built.
	Push, Pull string
	// Image is what would be run as it is.
	Image  string
	Layers []Layer
	// UploadBytes would be sent, of layers whose size is known. BaseBytes of them
	// are the base's.
	UploadBytes, BaseBytes int64
	// Python is the base's, where it was read before.
	Python string
	// SourceFiles, SourceBytes and Biggest describe the source.
	SourceFiles int
	SourceBytes int64
	Biggest     []source.Size
	TooLarge    bool
	Warnings    []string
	// Unknown says why something is known at launch only.
	Unknown []string
}

// Describe says what Build would do. It packs nothing but the shim, and sends and
// resolves nothing; online it asks the registries what is there.
func Describe(ctx context.Context, r Request, online bool) (*Plan, error) {
	c := newConnector(&r)
	defer c.close()
	p := &Plan{Image: r.Image, Base: r.BaseImage, Platform: r.Platform}
	if r.Image != "" {
		if online {
			res, err := r.given(ctx, c)
			if err != nil {
				return nil, explain(ctx, err)
			}
			p.Image, p.Warnings = res.Reference, res.Warnings
		}
		return p, nil
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if p.Platform == "" {
		p.Platform = DefaultPlatform
	}
	if r.Push != "" {
		p.Push, p.Pull = repositoryFor(r.Push), repositoryFor(r.Push)
		if r.Pull != "" {
			p.Pull = repositoryFor(r.Pull)
		}
	}
	if err := r.describe(ctx, c, p, online); err != nil {
		return nil, explain(ctx, err)
	}
	return p, nil
}

func (r *Request) describe(ctx context.Context, c *connector, p *Plan, online bool) error {
	cache := newCache(r.CacheDir)
	var own []*built
	add := func(kind string, b *built) {
		l := Layer{Kind: kind}
		if b != nil {
			l.Digest, l.Size, l.Cached = b.Digest, b.Size, true
			own = append(own, b)
		}
		p.Layers = append(p.Layers, l)
	}
	if len(r.Sources) > 0 {
		if err := r.describeSource(ctx, p); err != nil {
			return err
		}
	}
	var b *base
	if online && r.Dockerfile == "" {
		var err error
		if b, err = resolveBase(ctx, c, cache, r.BaseImage, r.Platform); err != nil {
			return err
		}
		p.Base, p.Platform = b.display(), b.platform.String()
		p.Layers = append(p.Layers, Layer{Kind: Base, Size: b.layerBytes(), Cached: true})
	} else {
		p.Layers = append(p.Layers, Layer{Kind: Base})
		p.Unknown = append(p.Unknown, "the base's digest and size need its registry")
	}
	if r.Push == "" {
		return nil
	}
	k := r.known(ctx, cache, b)
	if b != nil && r.GPU > 0 {
		res := &Result{}
		r.checkGPU(res, b, k)
		p.Warnings = append(p.Warnings, res.Warnings...)
		if !k.whole {
			p.Unknown = append(p.Unknown, unknownPackages)
		}
	}
	platform, err := parsePlatform(r.Platform)
	if err != nil {
		return err
	}
	shim, err := cache.shimLayer(ctx, r.ShimDir, platform.Architecture)
	if err != nil {
		return err
	}
	add(Shim, shim)
	if r.needsPython() {
		r.describeRequirements(p, k)
		if t := k.target; t == nil {
			add(Requirements, nil)
		} else if len(t.Packages) > 0 { // else the base has everything
			packed, _ := cache.lookup(Requirements, requirementsKey(t, k.facts.SitePackages[0]))
			add(Requirements, packed)
		}
	}
	if len(r.Sources) > 0 {
		digest, err := source.NewStore(cache.path("..", "source")).Digest(ctx, r.Sources, r.sourceOptions())
		var large *source.TooLargeError
		if errors.As(err, &large) {
			p.TooLarge = true
		} else if err != nil {
			return err
		}
		known, _ := cache.lookup(Source, sourceKey(digest))
		add(Source, known)
	}
	if b == nil {
		return nil
	}
	return r.ask(ctx, c, p, b, own)
}

func (r *Request) describeSource(ctx context.Context, p *Plan) error {
	o := r.sourceOptions()
	o.AllowLarge = true // told in the plan, not refused
	t, err := source.Scan(ctx, r.Sources, o)
	if err != nil {
		return err
	}
	if err := checkNames(t); err != nil {
		return err
	}
	p.SourceFiles, p.SourceBytes, p.Biggest = t.Files, t.Bytes, t.Biggest()
	p.TooLarge = t.Bytes > source.SizeLimit && !r.AllowLarge
	p.Warnings = append(append(p.Warnings, t.Warnings...), SizeWarnings(t)...)
	return nil
}

// describeRequirements tells what is known of the base's Python without reading
// its layers.
func (r *Request) describeRequirements(p *Plan, k *knownPackages) {
	p.Python = r.Python
	if k.facts != nil {
		if p.Python == "" {
			p.Python = k.facts.Python
		}
		return
	}
	p.Unknown = append(p.Unknown, "which packages the base has is read from its layers at the first build")
}

// ask says what the registry has of what is known.
func (r *Request) ask(ctx context.Context, c *connector, p *Plan, b *base, own []*built) error {
	repo, err := c.repository(repositoryFor(r.Push))
	if err != nil {
		return config("the registry has no valid name", `write for example registry = "registry.example.com/ml"`)
	}
	s, err := c.open(ctx, repo, true, nil, func(ctx context.Context, s *session) error {
		_, err := s.has(ctx, b.manifest.Config.Digest.String())
		return err
	})
	if err != nil {
		p.Warnings = append(p.Warnings, "What the registry has could not be asked: "+err.Error()+".")
		return nil
	}
	for i := range p.Layers {
		l := &p.Layers[i]
		switch {
		case l.Kind == Base:
			if err := r.askBase(ctx, s, p, l, b); err != nil {
				return err
			}
		case l.Digest != "":
			there, err := s.has(ctx, l.Digest)
			if err != nil {
				return &registryError{repo: repo, push: true, source: s.source, err: err}
			}
			l.State = Present
			if !there {
				l.State = Missing
				p.UploadBytes += l.Size
			}
		}
	}
	return nil
}

func (r *Request) askBase(ctx context.Context, s *session, p *Plan, l *Layer, b *base) error {
	l.State = Present
	for _, layer := range b.manifest.Layers {
		there, err := s.has(ctx, layer.Digest.String())
		if err != nil {
			return &registryError{repo: s.repo, push: true, source: s.source, err: err}
		}
		if there {
			continue
		}
		if b.mountsTo(s.repo) != nil {
			l.State = Mounted
			continue
		}
		l.State = Missing
		p.BaseBytes += layer.Size
	}
	p.UploadBytes += p.BaseBytes
	return nil
}
