package image

import (
	"context"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/environment/gpu"
	"github.com/stephost/stephost/host/environment/requirements"
)

// knownPackages is what is known of the packages of an image.
type knownPackages struct {
	// facts are the base's, nil where nobody has read them.
	facts *requirements.BaseFacts
	// target is what the requirements came to, nil where that is not known; added are
	// its packages.
	target *requirements.Target
	added  []requirements.Package
	// whole: these are all that the step will find.
	whole bool
}

// known is what earlier builds on this machine found out: the base's packages, and what
// the requirements came to. Nothing is read of the base and nobody is asked.
func (r *Request) known(ctx context.Context, cache *cache, b *base) *knownPackages {
	k := &knownPackages{}
	f := &requirements.BaseFacts{}
	if b == nil || !cache.readJSON(cache.path(factsFormat, hexOf(b.digest)), f) || r.setPython(f) != nil {
		return k
	}
	k.facts = f
	if k.whole = !r.needsPython(); k.whole {
		return k
	}
	if k.target, k.whole = requirements.KnownTarget(ctx, r.target(f)); k.whole {
		k.added = k.target.Packages
	}
	return k
}

// unknownPackages is said where the check of a GPU has to wait for them.
const unknownPackages = "whether its packages fit the GPU is known when they are: at the first build"

// checkGPU warns of what does not fit a GPU. Where not all packages are known none is
// judged: one that is still to come may hide it, or bring what is missing.
func (r *Request) checkGPU(res *Result, b *base, k *knownPackages) {
	if r.GPU == 0 {
		return
	}
	var have []requirements.Package
	if k.whole && k.facts != nil {
		for name, version := range k.facts.Installed {
			have = append(have, requirements.Package{Name: name, Version: version})
		}
		slices.SortFunc(have, func(a, b requirements.Package) int { return strings.Compare(a.Name, b.Name) })
		have = append(have, k.added...)
	}
	for _, w := range gpu.Check(gpu.Request{
		Image: gpu.Image{Ref: b.ref.String(), Platform: b.platform.String(), Env: envOf(b.config.Config.Env), Labels: b.config.Config.Labels,
			Given: r.Image != ""},
		Packages: have, Unread: !k.whole || k.facts == nil, GPU: int(r.GPU), Type: r.GPUType,
	}) {
		text := w.Summary
		if w.Fix != "" {
			text += ": " + w.Fix
		}
		res.Warnings = append(res.Warnings, text)
	}
}
