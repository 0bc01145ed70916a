package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/schema"
)

// Whether a step fits its operator's flavor.

// chooseKind decides what the host prepares: what the step asks for, among
// what the flavor takes.
func (d *decoder) chooseKind(r ResolveRequest, p *environmentPart) {
	kinds := d.kinds(r)
	asks := ""
	for _, name := range []string{"image", "base_image", "dockerfile"} {
		if p.winners[name].set() {
			asks = name
			break
		}
	}
	switch {
	case len(r.Manifest.Environments) == 0:
		p.Kind = KindNone
	case len(kinds) == 0:
		d.diags = append(d.diags, missing("No environment", fmt.Sprintf(
			"No environment of flavor %s applies to the config of operator %q: %s.", r.Manifest.Name, r.Operator.Name, conditions(r.Manifest)), &Step{Range: d.subject(r)}))
	case asks != "" && slices.Contains(kinds, KindImage):
		p.Kind = KindImage
	case asks != "":
		d.noImages(r, kinds, p, asks)
	default:
		p.Kind = kinds[0]
		// The flavor's first choice, unless that is an image and nobody said
		// which: then another kind that it takes needs no image.
		if p.Kind == KindImage && len(kinds) > 1 {
			p.Kind = kinds[1]
		}
	}
	if p.Kind == KindImage {
		d.imageComplete(r, p)
	} else if p.Kind != "" {
		d.imageOnly(r, p)
	}
}

// kinds are the environments that the flavor offers with the operator's config,
// the preferred one first.
func (d *decoder) kinds(r ResolveRequest) []string {
	if len(r.Manifest.EnvironmentKinds) == 0 {
		return r.Manifest.Environments
	}
	before := len(d.diags)
	config := d.operatorGivens(r.Operator, r.Manifest, map[string]string{}, &[]schema.Given{})
	d.diags = d.diags[:before] // attributes finds them again
	return r.Manifest.EnvironmentsFor(config)
}

// conditions says when each kind applies.
func conditions(m *manifest.Manifest) string {
	var out []string
	for _, k := range m.EnvironmentKinds {
		out = append(out, fmt.Sprintf("%s applies when %s", k.Name, m.KindCondition(k.Name)))
	}
	return strings.Join(out, ", ")
}

// noImages refuses an image on an operator that runs none. What stands in the
// project's defaults is for every flavor, so there it is a warning.
func (d *decoder) noImages(r ResolveRequest, kinds []string, p *environmentPart, name string) {
	if len(kinds) == 0 {
		return // the caller, or the look at a step, says so
	}
	w := p.winners[name]
	detail := fmt.Sprintf("Operator %q (flavor %s) runs steps in %s, so %s does not apply. ",
		r.Operator.Name, r.Manifest.Name, kindWords(kinds[0]), name)
	if when := r.Manifest.KindCondition(KindImage); when != "" {
		detail += fmt.Sprintf("The flavor runs images when %s. ", when)
	}
	if w.Origin == "defaults" {
		d.warn(w.NameRange, "Not used on this operator", detail+"Other operators of the project use it.")
		p.Kind = kinds[0]
		p.Image, p.BaseImage, p.Dockerfile, p.WrittenDockerfile = "", "", "", ""
		return
	}
	d.fail(w.NameRange, "This operator runs no images", detail+
		"Remove it, or move it to the environment {} of an operator whose flavor runs images; requirements and source work here as they are.")
}

func kindWords(kind string) string {
	if kind == KindDirectory {
		return "a directory with a virtual environment"
	}
	return "an environment of its own making"
}

// imageComplete checks what building or running an image needs.
func (d *decoder) imageComplete(r ResolveRequest, p *environmentPart) {
	w := p.winners
	if !w["image"].set() && !w["base_image"].set() && !w["dockerfile"].set() {
		d.diags = append(d.diags, missing("No image", fmt.Sprintf(
			`Operator %q (flavor %s) runs images. Write base_image = "python:3.11-slim" in environment {} (stephost builds on it), or image = "..." for one that has everything.`,
			r.Operator.Name, r.Manifest.Name), &Step{Range: d.subject(r)}))
	}
	builds := p.sources >= 0 || len(p.Requirements) > 0 || w["requirements_file"].set() || w["dockerfile"].set()
	if !builds || w["registry"].set() {
		return
	}
	if d.stage != schema.StageLaunch {
		d.deferred = append(d.deferred, "environment.registry: needed at launch, to push the image that is built")
		return
	}
	d.diags = append(d.diags, missing("No registry", fmt.Sprintf(
		`An image with the step's code or requirements is built and pushed. Write registry = "registry.example.com/ml" in the environment {} of the step, of operator %q or of defaults {}, or give --registry.`,
		r.Operator.Name), &Step{Range: d.subject(r)}))
}

// imageOnly refuses what has a meaning for images alone.
func (d *decoder) imageOnly(r ResolveRequest, p *environmentPart) {
	for _, name := range []string{"registry", "platform"} {
		w := p.winners[name]
		// Defaults are for every flavor; here nothing is built.
		if !w.set() || w.Origin == "defaults" {
			continue
		}
		d.fail(w.NameRange, "No image is built here", fmt.Sprintf(
			"Operator %q (flavor %s) runs this step in %s, so %s does not apply. Remove it, or move it to defaults { environment {} }.",
			r.Operator.Name, r.Manifest.Name, kindWords(p.Kind), name))
	}
	p.RegistryPush, p.RegistryPull, p.Platform = "", "", ""
}

// visible refuses secrets that the backend cannot hold, or shows to readers of
// the job without a person having said that this is all right.
func (d *decoder) visible(r ResolveRequest, out *Resolved, levels []*Body) {
	if len(out.Secrets) == 0 {
		return
	}
	at := d.subject(r)
	for _, b := range levels {
		if b.Secrets != nil {
			at = b.Secrets.NameRange
		}
	}
	switch {
	case r.Manifest.Secrets == "none":
		d.fail(at, "No secrets on this operator", fmt.Sprintf(
			"Operator %q (flavor %s) has no way to give a step a secret.", r.Operator.Name, r.Manifest.Name))
	case r.Manifest.Secrets == "visible" && !out.AllowVisibleSecrets:
		d.fail(at, "Secrets would be visible", fmt.Sprintf(
			"Operator %q (flavor %s) has no secret store: everyone who can read the job can read its secrets. "+
				"If that is all right, write allow_visible_secrets = true in the step or the operator.", r.Operator.Name, r.Manifest.Name))
	}
}

// fitOperator judges the step defaults that an operator carries.
func (d *decoder) fitOperator(r ResolveRequest) {
	d.check(r.Operator.Defaults)
	p := environmentPart{winners: map[string]winner{}, sources: -1}
	for _, name := range environmentNames() {
		if v := r.Operator.Defaults.Environment[name]; v != nil {
			p.winners[name] = winner{Value: v}
		}
	}
	kinds := d.kinds(r)
	if len(kinds) == 0 || slices.Contains(kinds, KindImage) {
		return
	}
	for _, name := range []string{"image", "base_image", "dockerfile"} {
		if p.winners[name].set() {
			d.noImages(r, kinds, &p, name)
			return
		}
	}
	p.Kind = kinds[0]
	d.imageOnly(r, &p)
}
