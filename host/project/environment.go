package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/schema"
)

// environmentPart is a merged environment and where its values were written.
type environmentPart struct {
	Environment
	winners map[string]winner
	// sources is the level whose source blocks count, -1 = none.
	sources     int
	sourceRange hcl.Range
}

// environment merges the environment blocks. Attributes that answer the same
// question (which image; which requirements) are replaced together.
func (d *decoder) environment(levels []*Body) environmentPart {
	p := environmentPart{winners: map[string]winner{}, sources: -1}
	for _, name := range environmentNames() {
		if w := d.pick("environment."+name, each(levels, func(b *Body) *Value { return b.Environment[name] })); w.set() {
			p.winners[name] = w
		}
	}
	d.oneImage(p.winners)
	d.replaceTogether(p.winners, "requirements", "requirements_file")
	d.readEnvironment(&p)
	d.sources(levels, &p)
	d.imageAlone(&p)
	return p
}

// readEnvironment turns the winners into Go values.
func (d *decoder) readEnvironment(p *environmentPart) {
	get := func(name string) (string, winner) { return "environment." + name, p.winners[name] }
	p.Image = d.imageName(get("image"))
	p.BaseImage = d.imageName(get("base_image"))
	p.Python = d.python(get("python"))
	p.Override = d.flag(get("override"))
	p.AllowLarge = d.flag(get("allow_large"))
	p.Dockerfile, p.WrittenDockerfile = d.existing(get("dockerfile"))
	p.RequirementsFile, p.WrittenRequirementsFile = d.existing(get("requirements_file"))
	if w := p.winners["requirements"]; w.known() {
		p.Requirements = d.texts("environment.requirements", w, func(text string) string {
			if strings.ContainsAny(text, "\n/") || strings.HasSuffix(text, ".txt") || strings.HasSuffix(text, ".toml") {
				return `For a file write requirements_file = "requirements.txt".`
			}
			return fmt.Sprintf(`Write requirements = [%s], or requirements_file = "requirements.txt" for a file.`, hclString(text))
		})
		d.checkRequirements(w, p.Requirements)
	} else if w.set() && !w.val.IsKnown() && w.val.Type() == cty.String {
		d.fail(w.Range, "List required", `environment.requirements is a list of texts. For a file write requirements_file = "requirements.txt".`)
	}
	if w := p.winners["platform"]; w.known() {
		p.Platform = d.text("environment.platform", w)
		if p.Platform != "" && !platformPattern().MatchString(p.Platform) {
			d.fail(w.Range, "Invalid platform", fmt.Sprintf(`%s is no platform: write for example "linux/amd64" or "linux/arm64".`, quote(p.Platform)))
		}
	}
	d.registry(p)
}

func (d *decoder) checkRequirements(w winner, list []string) {
	exprs := elements(w.expr)
	for i, s := range list {
		r := w.Range
		if i < len(exprs) {
			r = exprs[i].Range()
		}
		switch t := strings.TrimSpace(s); {
		case t == "":
			d.fail(r, "Empty requirement", "A requirement is a text such as \"scikit-learn==1.5.*\".")
		case strings.ContainsAny(s, "\n\r"):
			d.fail(r, "One requirement for each text", "A requirement holds no line break. Write one text for each, or requirements_file = \"requirements.txt\".")
		case incompleteRequirement().MatchString(t):
			d.fail(r, "Requirement is incomplete", fmt.Sprintf("%s has no version behind a comparison. Write for example \"scikit-learn==1.5.*\".", quote(t)))
		case strings.HasPrefix(t, "-"):
			d.fail(r, "Options belong in a file", fmt.Sprintf("%s is an option of pip. Options are read from a requirements_file.", quote(t)))
		}
	}
}

// python is a version, or the path of an interpreter.
func (d *decoder) python(path string, w winner) string {
	s := d.text(path, w)
	if s != "" && !strings.ContainsAny(s, `/\`) && !pythonVersion().MatchString(s) {
		d.fail(w.Range, "Invalid Python", fmt.Sprintf(`%s is neither a version of Python nor a path: write for example "3.11", or "/usr/bin/python3".`, quote(s)))
		return ""
	}
	return s
}

var pythonVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^3(\.[0-9]{1,3}){0,2}$`) })

// existing is the path of something that a launch reads. That it is there is not asked
// before: the values may be checked on another machine.
func (d *decoder) existing(name string, w winner) (abs, written string) {
	abs, written = d.path(name, w)
	if abs == "" || d.stage != schema.StageLaunch {
		return abs, written
	}
	if _, err := os.Stat(abs); errors.Is(err, fs.ErrNotExist) {
		d.fail(w.Range, "No such file", fmt.Sprintf("%s: %s is not there.", name, quote(abs)))
		return "", ""
	}
	return abs, written
}

// incompleteRequirement finds a comparison with nothing behind it, before a marker too.
// What else a requirement may be is the installer's to say.
var incompleteRequirement = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^;@]*[=<>!~]=?=?\s*(,|;|$)`) })

// imageName is the name of an image; a blank in it is a slip.
func (d *decoder) imageName(path string, w winner) string {
	s := d.text(path, w)
	if w.known() && w.val.Type() == cty.String && (s == "" || strings.ContainsAny(s, " \t\r\n")) {
		d.fail(w.Range, "Invalid image", fmt.Sprintf(`%s is no name of an image: write for example "python:3.11-slim".`, quote(s)))
		return ""
	}
	return s
}

// registry is one name, or { push, pull } where the cluster sees another one.
func (d *decoder) registry(p *environmentPart) {
	w := p.winners["registry"]
	if !w.known() {
		return
	}
	if w.val.Type() == cty.String {
		p.RegistryPush = d.registryName("environment.registry", w.val, w.Range)
		p.RegistryPull = p.RegistryPush
		return
	}
	if !w.val.Type().IsObjectType() && !w.val.Type().IsMapType() {
		d.fail(w.Range, "Wrong type", `environment.registry is a text such as "registry.example.com/ml", or { push = "...", pull = "..." }.`)
		return
	}
	before, parts := len(d.diags), w.val.AsValueMap()
	for _, key := range sortedKeys(parts) {
		el := parts[key]
		switch key {
		case "push":
			p.RegistryPush = d.registryName("environment.registry.push", el, w.Range)
		case "pull":
			p.RegistryPull = d.registryName("environment.registry.pull", el, w.Range)
		default:
			d.fail(w.Range, "Unknown name", fmt.Sprintf("environment.registry has push and pull, not %s.", quote(key)))
		}
	}
	if p.RegistryPush == "" && !d.diags[before:].HasErrors() {
		d.fail(w.Range, "Registry is incomplete", "environment.registry needs push; pull is the same unless it is given.")
	}
	if p.RegistryPull == "" {
		p.RegistryPull = p.RegistryPush
	}
}

func (d *decoder) registryName(path string, val cty.Value, r hcl.Range) string {
	s, ok := d.exactText(path, val, nil, r)
	if !ok {
		return ""
	}
	if _, rest, scheme := strings.Cut(s, "://"); scheme {
		d.fail(r, "Invalid registry", fmt.Sprintf("%s: a registry is written without %q: %s.", path, strings.TrimSuffix(s, rest), quote(rest)))
		return ""
	}
	if s == "" || strings.ContainsAny(s, " \t\r\n@") {
		d.fail(r, "Invalid registry", fmt.Sprintf(`%s: %s is no registry: write for example "registry.example.com/ml".`, path, quote(s)))
		return ""
	}
	return strings.TrimSuffix(s, "/")
}

// oneImage keeps the higher of image and base_image; dockerfile goes with
// base_image.
func (d *decoder) oneImage(w map[string]winner) {
	for _, other := range []string{"base_image", "dockerfile"} {
		image, base := w["image"], w[other]
		if !image.set() || !base.set() {
			continue
		}
		switch {
		case image.level == base.level:
			d.fail(image.Range, "Two images", fmt.Sprintf(
				"image is run as it is, and %s (%s) is what an image is built from. Write one of them.", other, d.shown(base.Range)))
		case image.level > base.level:
			d.dropEnvironment(w, other)
		default:
			d.dropEnvironment(w, "image")
		}
	}
}

// replaceTogether keeps the higher of two; both of one level count.
func (d *decoder) replaceTogether(w map[string]winner, a, b string) {
	x, y := w[a], w[b]
	switch {
	case !x.set() || !y.set() || x.level == y.level:
	case x.level > y.level:
		d.dropEnvironment(w, b)
	default:
		d.dropEnvironment(w, a)
	}
}

func (d *decoder) dropEnvironment(w map[string]winner, name string) {
	delete(w, name)
	delete(d.origins, "environment."+name)
	at := "environment." + name + ":"
	d.deferred = slices.DeleteFunc(d.deferred, func(s string) bool { return strings.HasPrefix(s, at) })
}

// sources are the source blocks of the highest level that has any.
func (d *decoder) sources(levels []*Body, p *environmentPart) {
	for level := len(levels) - 1; level >= 0 && p.sources < 0; level-- {
		if len(levels[level].Sources) > 0 {
			p.sources = level
		}
	}
	if p.sources < 0 {
		return
	}
	targets := map[string]hcl.Range{}
	for i, b := range levels[p.sources].Sources {
		at := fmt.Sprintf("environment.source[%d]", i)
		w := d.pick(at+".path", []*Value{b.Path})
		if i == 0 {
			p.sourceRange = b.Range
		}
		var s Source
		s.Path, s.Written = d.existing(at+".path", w)
		t := d.pick(at+".target", []*Value{b.Target})
		s.Target = d.target(at+".target", t)
		if e := d.pick(at+".exclude", []*Value{b.Exclude}); e.known() {
			s.Exclude = d.texts(at+".exclude", e, func(text string) string { return fmt.Sprintf("Write exclude = [%s].", hclString(text)) })
		}
		if t.set() && !t.known() || s.Written == "" {
			continue // known at launch, or wrong already
		}
		if first, twice := targets[s.Target]; twice {
			d.fail(b.Range, "Two sources for one place", fmt.Sprintf(
				"This source and the one at %s would both become %s. Give one of them a target.", place(first), targetWords(s.Target)))
			continue
		}
		targets[s.Target] = b.Range
		p.Sources = append(p.Sources, s)
	}
}

func targetWords(target string) string {
	if target == "" {
		return "the working directory"
	}
	return quote(target)
}

// target is a place inside of the working directory.
func (d *decoder) target(name string, w winner) string {
	s := d.text(name, w)
	if s == "" {
		return ""
	}
	clean := path.Clean(strings.ReplaceAll(s, `\`, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "/") || len(clean) > 1 && clean[1] == ':' {
		d.fail(w.Range, "Target leaves the working directory", fmt.Sprintf("%s: a target is a relative path without \"..\".", quote(s)))
		return ""
	}
	if clean == "." {
		return ""
	}
	return clean
}

// imageAlone refuses what an image that is run as it is cannot hold.
func (d *decoder) imageAlone(p *environmentPart) {
	image := p.winners["image"]
	if !image.set() {
		return
	}
	refuse := func(what string, r hcl.Range) {
		d.fail(r, "An image is run as it is", fmt.Sprintf(
			"%s cannot go into image (%s). Use base_image instead: stephost then builds an image on it.", what, d.shown(image.Range)))
	}
	if p.sources >= 0 {
		refuse("source", p.sourceRange)
	}
	if w := p.winners["requirements"]; w.set() && !(w.known() && len(p.Requirements) == 0) {
		refuse("requirements", w.NameRange)
	}
	if w := p.winners["requirements_file"]; w.set() {
		refuse("requirements_file", w.NameRange)
	}
}
