package gpu

import "github.com/stephost/stephost/host/environment/requirements"

// Image is what the check reads of a base image.
type Image struct {
	// Ref is its name, for the text.
	Ref string
	// Platform is "linux/amd64" or the like; empty when not known.
	Platform string
	// Env and Labels are those of its config.
	Env, Labels map[string]string
}

// Request says what to check.
type Request struct {
	Image Image
	// Packages are all that the step will find: those of the base and those of the
	// layer. A name that stands twice is the layer's the second time.
	Packages []requirements.Package
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

// Check returns what does not fit, the surest first.
func Check(Request) []Warning { return nil }
