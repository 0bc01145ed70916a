package image

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/environment/source"
)

// Places in a built image.
const (
	libDir    = "stephost/lib"
	binDir    = "stephost/bin"
	sourceDir = "stephost/src"
)

// DefaultPlatform is built when nothing says which: what nearly every cloud
// machine is. It is never the platform of the machine that builds.
const DefaultPlatform = "linux/amd64"

// Request says what image a step needs.
type Request struct {
	// Image is run as it is; nothing is built then.
	Image string
	// BaseImage is what is built on; Dockerfile is built first, by a tool of the
	// machine, and is the base then.
	BaseImage, Dockerfile string
	// Push is where the image goes, "registry.example.com/ml"; Pull is the same
	// place as the backend sees it. Empty Pull means Push.
	Push, Pull string
	// Platform is "linux/amd64" or the like; empty means DefaultPlatform.
	Platform string
	// Python overrides the version that is read from the base.
	Python string
	// Sources are absolute.
	Sources []source.Root
	// Requirements and RequirementsFile are as in requirements.TargetRequest.
	Requirements     []string
	RequirementsFile string
	// Dir is what relative paths in requirements are taken from.
	Dir string
	// Override lets requirements replace packages of the base.
	Override bool
	// AllowLarge lifts source.SizeLimit.
	AllowLarge bool
	// NeverCopy holds absolute paths that enter no layer.
	NeverCopy []string
	// GPU and GPUType are the step's resources.
	GPU     int64
	GPUType string
	// CacheDir is shared by any number of processes.
	CacheDir string
	// ShimDir holds stephost-init-linux-<arch>; empty means "shim" beside this
	// executable.
	ShimDir string
	// Environ is the environment of installers and of docker, and where
	// STEPHOST_REGISTRY_* are looked for; nil means this process's own.
	Environ []string
	// Auth asks the operator's plugin for credentials. It may be nil.
	Auth func(context.Context, AuthRequest) (*Credentials, error)
	// Progress gets short lines, from one goroutine at a time. It may be nil.
	Progress func(line string)
	// Logger may be nil.
	Logger hclog.Logger

	// Tests shorten these; 0 = chunkSize and retryFirst.
	chunk int64
	pause time.Duration
}

// AuthRequest asks for credentials for one repository.
type AuthRequest struct {
	// Registry is host and port.
	Registry, Repository string
	// Push asks for the right to push, and to make the repository when missing.
	Push bool
}

// Credentials of a registry.
type Credentials struct {
	Username, Password string
}

// String keeps the password out of every log.
func (c Credentials) String() string { return fmt.Sprintf("%s:(sensitive)", c.Username) }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// What a layer holds.
const (
	Base         = "base"
	Shim         = "shim"
	Requirements = "requirements"
	Source       = "source"
)

// Layer is one layer of a built image.
type Layer struct {
	Kind   string `json:"kind"`
	Digest string `json:"digest,omitempty"`
	// Size is compressed; 0 when it is not known before the build.
	Size int64 `json:"size,omitempty"`
	// Cached: nothing has to be packed for it.
	Cached bool `json:"cached"`
	// State is what became, or would become, of it in the registry: one of the
	// words below, empty when it was not asked.
	State string `json:"state,omitempty"`
}

// States of a layer.
const (
	Present  = "present"
	Mounted  = "mounted"
	Uploaded = "uploaded"
	// Missing is for plans: it would be uploaded.
	Missing = "missing"
)

// Result is an image that a backend can run.
type Result struct {
	// Reference is by digest, in the registry that the backend pulls from.
	Reference string
	// Shim: it carries the shim.
	Shim bool
	// Pushed is the same in the registry that it was pushed to; empty when nothing
	// was built.
	Pushed string
	// Base is the base by digest, Platform what was built.
	Base, Platform string
	Layers         []Layer
	// UploadedBytes of layers were sent; the manifest and the config do not count.
	UploadedBytes int64
	// Packages are what the requirements layer holds, Satisfied what the base had.
	Packages, Satisfied []requirements.Package
	// SourceFiles and SourceBytes count the source.
	SourceFiles int
	SourceBytes int64
	// Warnings are for the person: full sentences, without credentials.
	Warnings []string
	// Took is the time of the build.
	Took time.Duration
}
