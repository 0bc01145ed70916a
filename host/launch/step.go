package launch

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// runDir is the directory on this machine that belongs to a run.
func (s *Supervisor) runDir(id string) string { return filepath.Join(s.o.Home.Work(), id) }

// workDir is where an attempt's directory environment is made.
func (s *Supervisor) workDir(id string, attempt int) string {
	return filepath.Join(s.runDir(id), strconv.Itoa(attempt))
}

// buildStep makes the Step message without secret values.
func buildStep(r *runs.Run, a *runs.Attempt, step *project.Resolved, env *operatorv1.Environment, runDir string) *operatorv1.Step {
	m := &operatorv1.Step{
		RunId: r.ID, RunToken: r.Token, Attempt: int32(a.Number), Key: a.Key,
		Pipeline: step.Pipeline, PipelineRun: step.PipelineRun, Name: step.Name, Labels: maps.Clone(step.Labels),
		Argv: step.Argv, Env: maps.Clone(step.Env),
		Environment: env,
		Resources: &operatorv1.Resources{
			CpuMillis: step.Resources.CPUMillis, MemoryBytes: step.Resources.MemoryBytes,
			Gpu: step.Resources.GPU, GpuType: step.Resources.GPUType, Nodes: step.Resources.Nodes,
			DiskBytes: step.Resources.DiskBytes, SharedMemoryBytes: step.Resources.SharedMemoryBytes,
		},
		Settings:            &operatorv1.Values{Json: step.Settings},
		Deadlines:           &operatorv1.Deadlines{},
		RunDir:              runDir,
		AllowVisibleSecrets: step.AllowVisibleSecrets,
	}
	if t := step.Timeouts.Provisioning; t > 0 {
		m.Deadlines.Provisioning = durationpb.New(t)
	}
	if t := step.Timeouts.Run; t > 0 {
		m.Deadlines.Run = durationpb.New(t)
	}
	return m
}

// environmentMessage is what the host prepared, in the contract's words.
func environmentMessage(step *project.Resolved, dir *environment.Directory, img *environment.Image) *operatorv1.Environment {
	e := step.Environment
	switch {
	case dir != nil:
		return &operatorv1.Environment{Kind: &operatorv1.Environment_Directory_{Directory: &operatorv1.Environment_Directory{
			Path: dir.Path, Venv: dir.Venv, Python: dir.Python}}}
	case img != nil:
		return &operatorv1.Environment{Kind: &operatorv1.Environment_Image_{Image: &operatorv1.Environment_Image{
			Reference: img.Reference, Shim: img.Shim}}}
	default:
		raw := &operatorv1.Environment_Raw{Requirements: e.Requirements}
		for _, s := range e.Sources {
			raw.Source = append(raw.Source, &operatorv1.SourceRoot{Path: s.Path, Target: s.Target})
		}
		return &operatorv1.Environment{Kind: &operatorv1.Environment_Raw_{Raw: raw}}
	}
}

// requestBytes is the stored form of a Step. The order of map entries is fixed
// within one version of the library, which is enough: the bytes are stored and
// never made again.
func requestBytes(m *operatorv1.Step) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// secretValues resolves references. A missing one names itself.
func secretValues(ctx context.Context, refs map[string]string, r schema.Resolver) (map[string]*operatorv1.Secret, *missingSecret) {
	if len(refs) == 0 {
		return nil, nil
	}
	out := make(map[string]*operatorv1.Secret, len(refs))
	for name, ref := range refs {
		value, err := project.ExpandSecret(ctx, ref, r)
		if err != nil {
			return nil, &missingSecret{name: name, err: err}
		}
		out[name] = &operatorv1.Secret{Value: value}
	}
	return out, nil
}

type missingSecret struct {
	name string
	err  error
}

func (m *missingSecret) Error() string { return fmt.Sprintf("secret %s: %v", m.name, m.err) }

// target is on whose behalf a call is made: the pinned config, with the
// operator's credentials resolved now, because they may have been renewed.
func (d *drive) target(ctx context.Context) (*operatorv1.Target, error) {
	pin := d.claim.Run().Pin
	secrets, missing := secretValues(ctx, d.plan.Step.SecretConfig, d.s.o.Resolver)
	if missing != nil {
		return nil, d.blocked(ctx, missing)
	}
	t := &operatorv1.Target{
		Operator: d.claim.Run().Operator, FlavorVersion: pin.Version, ManifestDigest: pin.ManifestDigest,
		Config: &operatorv1.Values{Json: d.plan.Step.Config, Secrets: secrets}, Project: d.plan.Step.Project,
	}
	if pin.ScopeID != "" {
		t.Scope = &operatorv1.Scope{Id: pin.ScopeID, Display: pin.ScopeDisplay}
	}
	return t, nil
}
