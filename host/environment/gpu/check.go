package gpu

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/environment/requirements"
)

// Image is what the check reads of an image.
type Image struct {
	// Ref is its name, for the text.
	Ref string
	// Platform is "linux/amd64" or the like; empty when not known.
	Platform string
	// Env and Labels are those of its config.
	Env, Labels map[string]string
	// Given says that the image runs as it is: nothing is set in it.
	Given bool
}

// Request says what to check.
type Request struct {
	Image Image
	// Packages are all that the step will find: those of the base and those of the
	// layer. A name that stands twice is the layer's the second time.
	Packages []requirements.Package
	// Unread says that nobody has read which packages there are.
	Unread bool
	// GPU and Type are the step's resources; Type may be empty.
	GPU  int
	Type string
}

// Warning is one thing that does not fit.
type Warning struct {
	// Summary says what does not fit, in one line.
	Summary string
	// Fix says what would.
	Fix string
}

func (w Warning) String() string {
	if w.Fix == "" {
		return w.Summary
	}
	return w.Summary + ": " + w.Fix
}

// Check returns what does not fit, the surest first.
func Check(r Request) []Warning {
	if r.GPU <= 0 {
		return nil
	}
	c := &check{Request: r, have: map[string]requirements.Package{}, card: cardOf(r.Type)}
	for _, p := range r.Packages {
		p.Name = requirements.Normal(p.Name)
		c.have[p.Name] = p
	}
	c.base = baseCUDA(r.Image)
	c.given()
	c.torch()
	c.tensorflow()
	c.jax()
	c.cpuTwins()
	c.cupy()
	c.fits()
	if len(c.warnings) == 0 && !r.Unread && c.users == 0 && c.base.none() && !c.amd() {
		c.warn("the step asks for "+gpus(r.GPU)+", and nothing in the image uses one: the base has no CUDA, and no package brings it",
			"require a package that brings CUDA (torch, tensorflow[and-cuda], jax[cuda12]), choose a base image with CUDA, or ask for no GPU")
	}
	return c.warnings
}

// check is one check on its way.
type check struct {
	Request
	have     map[string]requirements.Package
	base     version // of the CUDA in the base
	card     card
	warnings []Warning
	// users counts what uses a GPU, as far as is known here.
	users int
	// uses are the versions of CUDA that packages bring or need.
	uses []use
}

// use is a version of CUDA and who brings it.
type use struct {
	who  string
	cuda version
}

func (c *check) warn(summary, fix string) {
	c.warnings = append(c.warnings, Warning{Summary: summary, Fix: fix})
}

func (c *check) amd() bool { return c.card.amd }

// wheels says whether CUDA comes as wheels: nvidia-cuda-runtime-cu12 for CUDA 11
// and 12, nvidia-cuda-runtime since 13, with the version of CUDA as their own.
func (c *check) wheels() (version, bool) {
	for _, name := range slices.Sorted(maps.Keys(c.have)) {
		p := c.have[name]
		if name == "nvidia-cuda-runtime" || strings.HasPrefix(name, "nvidia-cuda-runtime-cu") {
			return parse(p.Version), true
		}
	}
	return version{}, false
}

// given is about an image in which nothing is set.
func (c *check) given() {
	if !c.Image.Given {
		return
	}
	// none, void and empty hide every card from the container (NVIDIA Container
	// Toolkit, "Docker specialized configurations"). A device plugin may set its
	// own; an image's word is the default.
	if v, set := c.Image.Env["NVIDIA_VISIBLE_DEVICES"]; set && (v == "none" || v == "void" || v == "") {
		c.warn(fmt.Sprintf("the image sets NVIDIA_VISIBLE_DEVICES=%q, which hides every GPU", v), `set env = { NVIDIA_VISIBLE_DEVICES = "all" }`)
	}
	if v, set := c.Image.Env["NVIDIA_DRIVER_CAPABILITIES"]; set && v != "all" && !strings.Contains(v, "compute") {
		c.warn(fmt.Sprintf("the image sets NVIDIA_DRIVER_CAPABILITIES=%q, without compute: CUDA will not be found", v),
			`set env = { NVIDIA_DRIVER_CAPABILITIES = "compute,utility" }`)
	}
}

// fits compares what is used with the card.
func (c *check) fits() {
	if c.amd() {
		if !c.base.none() || len(c.uses) > 0 {
			c.warn("the step asks for an AMD GPU ("+c.Type+"), and the image brings CUDA, which is NVIDIA's", "choose packages and a base image for ROCm")
		}
		return
	}
	if len(c.uses) == 0 && !c.base.none() {
		c.uses = append(c.uses, use{"the base image", c.base})
	}
	said := map[version]bool{}
	for _, u := range c.uses {
		switch {
		case u.cuda.none() || c.card.name == "" || said[u.cuda]:
		case u.cuda.less(c.card.since):
			said[u.cuda] = true
			c.warn(fmt.Sprintf("%s is for CUDA %s, and %s needs CUDA %s or newer", u.who, u.cuda, c.card.name, c.card.since),
				"take a newer version built for CUDA "+c.card.since.String()+" or newer, or another gpu_type")
		case !c.card.until.none() && !u.cuda.less(c.card.until):
			said[u.cuda] = true
			c.warn(fmt.Sprintf("%s is for CUDA %s, which no longer runs on %s", u.who, u.cuda, c.card.name),
				"take a build for a CUDA older than "+c.card.until.String()+", or a newer gpu_type")
		}
	}
}

func gpus(n int) string {
	if n == 1 {
		return "a GPU"
	}
	return fmt.Sprintf("%d GPUs", n)
}
