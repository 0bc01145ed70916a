package launch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// ImageRequest is what a step's environment says about its image. The platform is
// that of the machines that the flavor runs steps on, never of this one.
func ImageRequest(at home.Home, m *manifest.Manifest, step *project.Resolved) environment.ImageRequest {
	e := step.Environment
	platform := e.Platform
	if platform == "" && m != nil && m.MachineArch != "" {
		platform = "linux/" + m.MachineArch
	}
	return environment.ImageRequest{
		Image: e.Image, BaseImage: e.BaseImage, Dockerfile: e.Dockerfile, RegistryPush: e.RegistryPush, RegistryPull: e.RegistryPull,
		Platform: platform, Python: e.Python, CacheDir: at.Cache(), Sources: sourcesOf(step),
		Requirements: e.Requirements, RequirementsFile: e.RequirementsFile, Override: e.Override, AllowLarge: e.AllowLarge,
		NeverCopy: []string{at.Root()}, GPU: step.Resources.GPU, GPUType: step.Resources.GPUType,
	}
}

func sourcesOf(step *project.Resolved) []environment.Source {
	sources := make([]environment.Source, 0, len(step.Environment.Sources))
	for _, s := range step.Environment.Sources {
		sources = append(sources, environment.Source{Path: s.Path, Target: s.Target, Exclude: s.Exclude})
	}
	return sources
}

// plannedImage stands for an image that is not built yet: the repository is known,
// so that a flavor can refuse one that its backend cannot pull from.
func plannedImage(step *project.Resolved) *environment.Image {
	e := step.Environment
	if e.Image != "" {
		return &environment.Image{Reference: e.Image}
	}
	const later = "(known at launch: the image is built then)"
	repo := e.RegistryPull
	if repo == "" {
		repo = e.RegistryPush
	}
	if repo == "" {
		return &environment.Image{Reference: e.BaseImage} // run as it is
	}
	return &environment.Image{Reference: repo + "@" + later, Shim: true}
}

// prepareImage makes the image of an attempt. A later attempt runs the image of
// the first, whatever became of the source meanwhile: it is the same run.
func (d *drive) prepareImage(ctx context.Context, target *operatorv1.Target) (*environment.Image, *rejection, error) {
	if img := d.earlierImage(); img != nil {
		return img, nil, nil
	}
	planned := plannedImage(d.plan.Step)
	if planned.Shim {
		// What the flavor refuses it refuses before minutes are spent.
		r := d.claim.Run()
		step := buildStep(r, d.attempt(), d.plan.Step, environmentMessage(d.plan.Step, nil, planned), d.s.runDir(r.ID))
		if rejected, err := d.validate(ctx, target, step, false); rejected != nil || err != nil {
			return nil, rejected, err
		}
	}
	req := ImageRequest(d.s.o.Home, d.flavor.Manifest, d.plan.Step)
	req.Logger = d.s.o.Log.Named("environment")
	req.Progress = func(line string) { d.notify(Notice{Kind: Progress, Phase: "preparing", Message: line}) }
	req.Auth = registryAuth(d.backend, d.flavor.Manifest, target)
	img, err := environment.PrepareImage(ctx, req)
	switch {
	case err == nil:
		for _, w := range img.Warnings {
			d.notify(Notice{Kind: Warning, Phase: "preparing", Message: w})
		}
		return img, nil, nil
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	default:
		return nil, imageRejection(err), nil
	}
}

// imageRejection keeps apart what a person must mend and what may pass: a registry
// that fails is retried where the step says retry { system = N }.
func imageRejection(err error) *rejection {
	r := environmentRejection(err)
	var p *problem.Error
	if errors.As(err, &p) && (p.Class == problem.System || p.Class == problem.Auth || p.Class == problem.Timeout) {
		r.class = p.Class
	}
	return r
}

// earlierImage is the image of an earlier attempt of this run, nil when none came
// so far.
func (d *drive) earlierImage() *environment.Image {
	for _, a := range d.claim.Run().Attempts {
		step := &operatorv1.Step{}
		if a.Number >= d.attempt().Number || len(a.Request) == 0 || proto.Unmarshal(a.Request, step) != nil {
			continue
		}
		if img := step.GetEnvironment().GetImage(); strings.Contains(img.GetReference(), "@sha256:") {
			return &environment.Image{Reference: img.GetReference(), Shim: img.GetShim()}
		}
	}
	return nil
}

// registryAuth asks the flavor for credentials; nil where it has none to give.
func registryAuth(b *backend, m *manifest.Manifest, target *operatorv1.Target) func(context.Context, environment.ImageAuthRequest) (*environment.ImageCredentials, error) {
	if !m.Can("registry_auth") {
		return nil
	}
	return func(ctx context.Context, q environment.ImageAuthRequest) (*environment.ImageCredentials, error) {
		var resp *operatorv1.RegistryAuthResponse
		if err := b.call(ctx, askBound, func(ctx context.Context, c operatorv1.StepOperatorClient) (err error) {
			resp, err = c.RegistryAuth(ctx, &operatorv1.RegistryAuthRequest{
				Target: target, Registry: q.Registry, Repository: q.Repository, Push: q.Push, Create: q.Push})
			return err
		}); err != nil {
			return nil, err
		}
		if bad := firstError(resp.GetDiagnostics()); bad != nil {
			return nil, fmt.Errorf("%s", diagnosticText(bad))
		}
		if resp.GetNotOurs() || resp.GetUsername() == "" && resp.GetPassword().GetValue() == "" {
			return nil, nil
		}
		return &environment.ImageCredentials{Username: resp.GetUsername(), Password: resp.GetPassword().GetValue()}, nil
	}
}

// BuildOptions of BuildImage.
type BuildOptions struct {
	Home      home.Home
	Processes *process.Manager
	Flavor    *Flavor
	Operator  string
	Step      *project.Resolved
	Resolver  schema.Resolver
	Log       hclog.Logger
	Progress  func(string)
}

// BuildImage makes a step's image and sends it to its registry, without a run. The
// plugin is started only when its credentials are needed.
func BuildImage(ctx context.Context, o BuildOptions) (*environment.Image, error) {
	b := newBackend(o.Processes, o.Flavor.Spec)
	defer b.close()
	req := ImageRequest(o.Home, o.Flavor.Manifest, o.Step)
	req.Logger, req.Progress = o.Log, o.Progress
	req.Auth = lazyAuth(b, o)
	return environment.PrepareImage(ctx, req)
}

// DescribeImage says what BuildImage would do.
func DescribeImage(ctx context.Context, o BuildOptions, online bool) (*environment.ImagePlan, error) {
	b := newBackend(o.Processes, o.Flavor.Spec)
	defer b.close()
	req := ImageRequest(o.Home, o.Flavor.Manifest, o.Step)
	req.Auth = lazyAuth(b, o)
	return environment.DescribeImage(ctx, req, online)
}

// CheckImage looks at what BuildImage needs.
func CheckImage(ctx context.Context, o BuildOptions) []environment.ImageFinding {
	b := newBackend(o.Processes, o.Flavor.Spec)
	defer b.close()
	req := ImageRequest(o.Home, o.Flavor.Manifest, o.Step)
	req.Auth = lazyAuth(b, o)
	return environment.CheckImage(ctx, req)
}

// lazyAuth resolves the operator's secrets when the plugin is asked.
func lazyAuth(b *backend, o BuildOptions) func(context.Context, environment.ImageAuthRequest) (*environment.ImageCredentials, error) {
	if !o.Flavor.Manifest.Can("registry_auth") {
		return nil
	}
	return func(ctx context.Context, q environment.ImageAuthRequest) (*environment.ImageCredentials, error) {
		target, err := planTarget(ctx, o.Flavor, o.Operator, o.Step.Project, o.Step.Config, o.Step.SecretConfig, o.Resolver)
		if err != nil {
			return nil, err
		}
		return registryAuth(b, o.Flavor.Manifest, target)(ctx, q)
	}
}

func environmentRejection(err error) *rejection {
	return &rejection{class: problem.Config, phase: "preparing", reason: "environment", message: explain(err)}
}
