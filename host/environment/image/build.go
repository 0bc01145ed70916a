package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/environment/source"
)

// buildTries: a layer whose blob the disk has damaged is packed once more.
const buildTries = 2

// Build makes the image and sends it to its registry, or finds that it is there.
// It may take minutes the first time, and a few requests the next. Any number of
// calls may run at once; those that need the same layer pack and send it once.
// Errors are *problem.Error, or of package source or requirements.
func Build(ctx context.Context, r Request) (*Result, error) {
	began := time.Now()
	var res *Result
	var err error
	for try := 1; ; try++ {
		res, err = r.build(ctx)
		if try == buildTries || !errors.Is(err, errDigest) {
			break
		}
	}
	if err != nil {
		return nil, explain(ctx, err)
	}
	res.Took = time.Since(began)
	return res, nil
}

func (r *Request) build(ctx context.Context) (*Result, error) {
	c := newConnector(r)
	defer c.close()
	if r.Image != "" {
		return r.given(ctx, c)
	}
	c.keeps = true
	m, err := r.make(ctx, c)
	if err != nil {
		return nil, err
	}
	if m.img == nil { // nothing is built
		return m.res, nil
	}
	pushed, err := push(ctx, c, m.cache, m.repo, m.img, m.ahead, m.say)
	if err != nil {
		return nil, err
	}
	res := m.res
	res.Layers, res.UploadedBytes = sorted(pushed.Layers, m.img), pushed.UploadedBytes
	res.Shim, res.Pushed = true, m.repo.Name()+"@"+m.img.digest
	res.Reference = res.Pushed
	if r.Pull != "" && r.Pull != r.Push {
		res.Reference = repositoryFor(r.Pull) + "@" + m.img.digest
	}
	m.img.forgetBase(m.cache)
	if res.UploadedBytes > 0 {
		m.cache.sweep()
	}
	return res, nil
}

// sorted puts the layers in the order of the image.
func sorted(layers []Layer, img *composed) []Layer {
	order := map[string]int{}
	for i, l := range img.base.manifest.Layers {
		order[l.Digest.String()] = i
	}
	for i, l := range img.layers {
		order[l.Digest] = len(order) + i
	}
	slices.SortStableFunc(layers, func(a, b Layer) int { return order[a.Digest] - order[b.Digest] })
	return layers
}

// made is an image on this machine, before it is sent.
type made struct {
	cache *cache
	say   func(string, ...any)
	repo  name.Repository
	ahead *ahead
	img   *composed
	res   *Result
}

// make finds the base and packs what is not packed yet.
func (r *Request) make(ctx context.Context, c *connector) (*made, error) {
	m := &made{cache: newCache(r.CacheDir), say: r.sayer(), res: &Result{}}
	if err := r.check(); err != nil {
		return nil, err
	}
	baseName := r.BaseImage
	if r.Dockerfile != "" {
		var err error
		if baseName, err = r.fromDockerfile(ctx, c, m.say); err != nil {
			return nil, err
		}
	}
	if _, err := c.reference(baseName); err != nil {
		return nil, noName(baseName)
	}
	if r.Push == "" {
		// Nothing to add and nowhere to put it: the base is run as it is.
		b, err := resolveBase(ctx, c, m.cache, baseName, r.Platform)
		if err == nil {
			m.res.Base, m.res.Platform, m.res.Reference = b.display(), b.platform.String(), b.display()
		}
		return m, err
	}
	var err error
	if m.repo, err = c.repository(repositoryFor(r.Push)); err != nil {
		return nil, config(fmt.Sprintf("%q is no registry", r.Push), `write for example registry = "registry.example.com/ml"`)
	}
	b, layers, facts, err := r.pack(ctx, c, m, baseName)
	if err != nil {
		return nil, err
	}
	m.res.Base, m.res.Platform = b.display(), b.platform.String()
	r.checkGPU(m.res, b, &knownPackages{facts: facts, added: m.res.Packages, whole: true})
	m.img, err = compose(b, layers, r.GPU)
	return m, err
}

// check refuses what cannot be built, before anything is asked.
func (r *Request) check() error {
	something := len(r.Sources) > 0 || r.needsPython()
	switch {
	case r.BaseImage == "" && r.Dockerfile == "":
		return config("the step names no image", `set base_image in its environment, for example base_image = "python:3.11-slim", or image for one that is run as it is`)
	case r.Push == "" && r.Dockerfile != "":
		return config("an image that is built from a Dockerfile needs a registry", `set registry in its environment, for example registry = "registry.example.com/ml"`)
	case r.Push == "" && something:
		return config("the step's source and requirements go into an image, and there is no registry for it",
			`set registry in its environment, for example registry = "registry.example.com/ml"`)
	}
	return nil
}

func (r *Request) needsPython() bool { return len(r.Requirements) > 0 || r.RequirementsFile != "" }

// pack finds the base and makes all layers, what takes long at the same time.
func (r *Request) pack(ctx context.Context, c *connector, m *made, baseName string) (*base, []*built, *requirements.BaseFacts, error) {
	platform, err := parsePlatform(r.Platform)
	if err != nil {
		return nil, nil, nil, err
	}
	var b *base
	var shim, reqs, src *built
	var facts *requirements.BaseFacts
	g, all := errgroup.WithContext(ctx)
	g.Go(func() error {
		m.ahead = r.askAhead(all, c, m.cache, m.repo, baseName)
		return nil
	})
	g.Go(func() (err error) {
		shim, err = m.cache.shimLayer(all, r.ShimDir, platform.Architecture)
		return err
	})
	g.Go(func() (err error) {
		if b, err = resolveBase(all, c, m.cache, baseName, r.Platform); err != nil {
			return err
		}
		if !r.needsPython() && r.GPU == 0 {
			return nil
		}
		if facts, err = r.factsOf(all, m, b); err != nil || !r.needsPython() {
			return err
		}
		var t *requirements.Target
		if t, err = r.resolve(all, m, facts); err != nil {
			return err
		}
		m.res.Packages, m.res.Satisfied = t.Packages, t.Satisfied
		reqs, err = m.cache.requirementsLayer(all, t, facts, m.say)
		return err
	})
	var tree *source.Tree
	g.Go(func() (err error) {
		if len(r.Sources) > 0 {
			tree, src, err = r.sourceLayer(all, m.cache, m.say)
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, nil, nil, err
	}
	if tree != nil {
		m.res.SourceFiles, m.res.SourceBytes = tree.Files, tree.Bytes
		m.res.Warnings = append(m.res.Warnings, tree.Warnings...)
		m.res.Warnings = append(m.res.Warnings, SizeWarnings(tree)...)
	}
	var layers []*built
	for _, l := range []*built{shim, reqs, src} { // what changes most comes last
		if l != nil {
			layers = append(layers, l)
		}
	}
	return b, layers, facts, nil
}

// factsOf reads what the base has. Layers that will travel are kept meanwhile.
func (r *Request) factsOf(ctx context.Context, m *made, b *base) (*requirements.BaseFacts, error) {
	travels := m.repo.RegistryStr() != "" && m.repo.RegistryStr() != b.ref.Context().RegistryStr()
	f, err := b.facts(ctx, m.say, travels)
	if err != nil {
		return nil, err
	}
	return f, r.setPython(f)
}

// setPython lets the person's word count more than what the base's layers say.
func (r *Request) setPython(f *requirements.BaseFacts) error {
	if r.Python == "" {
		return nil
	}
	parts := strings.SplitN(r.Python, ".", 3)
	if len(parts) < 2 || strings.Trim(parts[0]+parts[1], "0123456789") != "" {
		return config(fmt.Sprintf("python = %q does not say which Python the base has", r.Python), `write a version, for example python = "3.11"; a path means nothing for an image`)
	}
	f.Python = parts[0] + "." + parts[1]
	return nil
}

func (r *Request) resolve(ctx context.Context, m *made, f *requirements.BaseFacts) (*requirements.Target, error) {
	if f.Interpreter == "" || len(f.SitePackages) == 0 {
		return nil, config("the base image has no Python on its PATH, and the step has requirements",
			`use a base_image with Python, for example "python:3.11-slim"`)
	}
	q := r.target(f)
	q.Progress = func(line string) { m.say("%s", line) }
	t, err := requirements.ResolveTarget(ctx, q)
	if err != nil {
		return nil, err
	}
	m.res.Warnings = append(m.res.Warnings, t.Warnings...)
	return t, nil
}

// target asks for what the base lacks.
func (r *Request) target(f *requirements.BaseFacts) requirements.TargetRequest {
	return requirements.TargetRequest{Base: *f, Requirements: r.Requirements, RequirementsFile: r.RequirementsFile,
		Dir: r.Dir, CacheDir: r.CacheDir, Override: r.Override, Environ: r.Environ, NeverCopy: append(slices.Clone(r.NeverCopy), r.CacheDir), Logger: r.Logger}
}

// SizeWarnings tell of a source that is large but not refused.
func SizeWarnings(t *source.Tree) []string {
	if t.Bytes <= source.SizeWarning {
		return nil
	}
	var paths []string
	for _, s := range t.Biggest() {
		paths = append(paths, fmt.Sprintf("%q (%s)", s.Path, source.FormatBytes(s.Bytes)))
	}
	return []string{fmt.Sprintf("The source has %s in %d files. The biggest paths: %s. Leave out what the step does not need with exclude or .stephostignore.",
		source.FormatBytes(t.Bytes), t.Files, strings.Join(paths, ", "))}
}
