package pluginsdk

import (
	"context"
	"io"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Implementation is a flavor, made by RemoteOf or Launch.
type Implementation interface {
	// check compares the implementation with its manifest.
	check(m *manifest) error
	// open decodes the target's config for one call.
	open(t *operatorv1.Target) (*session, error)
	// close ends what the implementation runs in this process, bounded by ctx.
	close(ctx context.Context)
}

// session is an implementation with one decoded config. A nil function means
// that the optional interface is absent.
type session struct {
	submit       func(ctx context.Context, s *Step) (Handle, error)
	status       func(ctx context.Context, h Handle) (Status, error)
	cancel       func(ctx context.Context, h Handle, o CancelOptions) error
	find         func(ctx context.Context, q Query) (Found, error)
	watch        func(ctx context.Context, h Handle, report func(Status)) error
	batch        func(ctx context.Context, hs []Handle) ([]StatusResult, error)
	logs         func(ctx context.Context, h Handle, r LogRequest, w *LogWriter) error
	plan         func(ctx context.Context, s *Step, online bool) (Plan, error)
	prepare      func(ctx context.Context, s *Step, progress func(string)) (Prepared, error)
	scope        func(ctx context.Context) (Scope, error)
	validate     func(ctx context.Context, s *Step) error
	preflight    func(ctx context.Context, s *Step) error
	cleanup      func(ctx context.Context, h Handle, what What) error
	registryAuth func(ctx context.Context, r RegistryRequest) (RegistryCredentials, error)
	outputFiles  func(ctx context.Context, h Handle, location string) ([]OutputFile, error)
	openOutput   func(ctx context.Context, h Handle, r OutputRead) (OutputFile, io.ReadCloser, error)
}

// RemoteOf makes an Implementation of r. C must be a struct.
func RemoteOf[C any](r Remote[C]) Implementation { return &remote[C]{impl: r} }

type remote[C any] struct{ impl Remote[C] }

// capabilities that the type implements.
func (r *remote[C]) capabilities() map[string]bool {
	have := map[string]bool{capCancel: true}
	_, have[capFind] = r.impl.(Finder[C])
	_, have[capLogs] = r.impl.(LogReader[C])
	_, have[capPlan] = r.impl.(Planner[C])
	_, have[capPrepare] = r.impl.(Preparer[C])
	_, have[capPreflight] = r.impl.(Preflighter[C])
	_, have[capCleanup] = r.impl.(Cleaner[C])
	_, have[capRegistryAuth] = r.impl.(RegistryAuthorizer[C])
	_, have[capReadOutput] = r.impl.(OutputReader[C])
	return have
}

func (r *remote[C]) check(m *manifest) error {
	var c C
	if err := checkConfigType(&c, m); err != nil {
		return err
	}
	return m.agree(r.capabilities(), true)
}

func (*remote[C]) close(context.Context) {}

func (r *remote[C]) open(t *operatorv1.Target) (*session, error) {
	var c C
	if err := decodeValues(t.GetConfig(), "config", &c); err != nil {
		return nil, err
	}
	if i, ok := any(&c).(ProjectSetter); ok {
		i.SetProject(t.GetProject())
	}
	s := &session{
		submit: func(ctx context.Context, s *Step) (Handle, error) { return r.impl.Submit(ctx, c, s) },
		status: func(ctx context.Context, h Handle) (Status, error) { return r.impl.Status(ctx, c, h) },
		cancel: func(ctx context.Context, h Handle, o CancelOptions) error { return r.impl.Cancel(ctx, c, h, o) },
	}
	if i, ok := r.impl.(Finder[C]); ok {
		s.find = func(ctx context.Context, q Query) (Found, error) { return i.Find(ctx, c, q) }
	}
	if i, ok := r.impl.(Watcher[C]); ok {
		s.watch = func(ctx context.Context, h Handle, report func(Status)) error { return i.Watch(ctx, c, h, report) }
	}
	if i, ok := r.impl.(BatchStatus[C]); ok {
		s.batch = func(ctx context.Context, hs []Handle) ([]StatusResult, error) { return i.StatusBatch(ctx, c, hs) }
	}
	if i, ok := r.impl.(LogReader[C]); ok {
		s.logs = func(ctx context.Context, h Handle, q LogRequest, w *LogWriter) error { return i.Logs(ctx, c, h, q, w) }
	}
	if i, ok := r.impl.(Planner[C]); ok {
		s.plan = func(ctx context.Context, s *Step, online bool) (Plan, error) { return i.Plan(ctx, c, s, online) }
	}
	if i, ok := r.impl.(Preparer[C]); ok {
		s.prepare = func(ctx context.Context, s *Step, p func(string)) (Prepared, error) { return i.Prepare(ctx, c, s, p) }
	}
	if i, ok := r.impl.(Scoper[C]); ok {
		s.scope = func(ctx context.Context) (Scope, error) { return i.Scope(ctx, c) }
	}
	if i, ok := r.impl.(Validator[C]); ok {
		s.validate = func(ctx context.Context, s *Step) error { return i.Validate(ctx, c, s) }
	}
	if i, ok := r.impl.(Preflighter[C]); ok {
		s.preflight = func(ctx context.Context, s *Step) error { return i.Preflight(ctx, c, s) }
	}
	if i, ok := r.impl.(Cleaner[C]); ok {
		s.cleanup = func(ctx context.Context, h Handle, what What) error { return i.Cleanup(ctx, c, h, what) }
	}
	if i, ok := r.impl.(RegistryAuthorizer[C]); ok {
		s.registryAuth = func(ctx context.Context, q RegistryRequest) (RegistryCredentials, error) {
			return i.RegistryAuth(ctx, c, q)
		}
	}
	if i, ok := r.impl.(OutputReader[C]); ok {
		s.outputFiles = func(ctx context.Context, h Handle, at string) ([]OutputFile, error) {
			return i.OutputFiles(ctx, c, h, at)
		}
		s.openOutput = func(ctx context.Context, h Handle, q OutputRead) (OutputFile, io.ReadCloser, error) {
			return i.OpenOutput(ctx, c, h, q)
		}
	}
	return s, nil
}
