package environment

import (
	"context"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/environment/image"
	"github.com/stephost/stephost/host/environment/source"
)

// ImageRequest says what image a step needs.
type ImageRequest struct {
	// Image is run as it is. Else BaseImage, or what Dockerfile builds, is what an
	// image is built on.
	Image, BaseImage, Dockerfile string
	// RegistryPush is where the image goes, RegistryPull the same place as the
	// backend sees it; empty means RegistryPush.
	RegistryPush, RegistryPull string
	// Platform is "linux/amd64" or the like; empty means image.DefaultPlatform.
	Platform string
	// Python overrides the version that is read from the base.
	Python string
	// CacheDir, Dir, Sources, Requirements, RequirementsFile, AllowLarge,
	// NeverCopy, Environ, Progress and Logger are as in DirectoryRequest.
	CacheDir, Dir    string
	Sources          []Source
	Requirements     []string
	RequirementsFile string
	AllowLarge       bool
	NeverCopy        []string
	Environ          []string
	Progress         func(line string)
	Logger           hclog.Logger
	// Override lets requirements replace packages of the base.
	Override bool
	// GPU and GPUType are the step's resources.
	GPU     int64
	GPUType string
	// Auth asks the operator's plugin for credentials of a registry. May be nil.
	Auth func(context.Context, ImageAuthRequest) (*ImageCredentials, error)
	// ShimDir is for tests; empty means what came with stephost.
	ShimDir string
}

// What PrepareImage and DescribeImage speak of.
type (
	// Image is a prepared image.
	Image = image.Result
	// ImagePlan is what PrepareImage would do.
	ImagePlan = image.Plan
	// ImageLayer is one layer of an image.
	ImageLayer = image.Layer
	// ImageFinding is one thing that CheckImage found out.
	ImageFinding = image.Finding
	// ImageAuthRequest asks for credentials of a registry.
	ImageAuthRequest = image.AuthRequest
	// ImageCredentials are the answer.
	ImageCredentials = image.Credentials
)

// PrepareImage builds the image and sends it to its registry, or finds it there.
// It may take minutes the first time, and a few requests the next. Calls from many
// processes and goroutines are safe; those that need the same layer make it once.
// Errors are *problem.Error.
func PrepareImage(ctx context.Context, r ImageRequest) (*Image, error) {
	q, err := r.request()
	if err != nil {
		return nil, err
	}
	img, err := image.Build(ctx, q)
	if err != nil {
		return nil, sourceProblem(ctx, err)
	}
	return img, nil
}

// DescribeImage says what PrepareImage would do. It packs, sends and resolves
// nothing; online it asks the registries what is there. Errors are *problem.Error.
func DescribeImage(ctx context.Context, r ImageRequest, online bool) (*ImagePlan, error) {
	q, err := r.request()
	if err != nil {
		return nil, err
	}
	p, err := image.Describe(ctx, q, online)
	if err != nil {
		return nil, sourceProblem(ctx, err)
	}
	return p, nil
}

// CheckImage looks at what PrepareImage needs: the base, the right to push, the GPU.
// It makes no image and no layer.
func CheckImage(ctx context.Context, r ImageRequest) []ImageFinding {
	q, err := r.request()
	if err != nil {
		return []ImageFinding{{Err: err}}
	}
	return image.Check(ctx, q)
}

func (r *ImageRequest) request() (image.Request, error) {
	q := image.Request{
		Image: r.Image, BaseImage: r.BaseImage, Dockerfile: r.Dockerfile, Push: r.RegistryPush, Pull: r.RegistryPull,
		Platform: r.Platform, Python: r.Python, Requirements: r.Requirements, RequirementsFile: r.RequirementsFile,
		Dir: r.Dir, Override: r.Override, AllowLarge: r.AllowLarge, NeverCopy: r.NeverCopy, GPU: r.GPU, GPUType: r.GPUType,
		CacheDir: r.CacheDir, ShimDir: r.ShimDir, Environ: r.Environ, Auth: r.Auth, Progress: r.Progress, Logger: r.Logger,
	}
	for _, s := range r.Sources {
		path, err := filepath.Abs(filepath.Join(r.Dir, s.Path))
		if filepath.IsAbs(s.Path) {
			path, err = s.Path, nil
		}
		if err != nil {
			return q, cannotMake(s.Path, err)
		}
		q.Sources = append(q.Sources, source.Root{Path: path, Target: s.Target, Exclude: s.Exclude})
	}
	return q, nil
}
