package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stephost/stephost/host/fetch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// outputSilence is how long a stream of an output may bring nothing: a read that
// hangs in a plugin is begun anew at its offset.
const outputSilence = 2 * time.Minute

// outputs is a fetch.Source: the plugin of the flavor version that a run was
// launched with.
type outputs struct {
	backend  *backend
	req      jobRequest
	resolver schema.Resolver
}

// Outputs opens the source of a run's outputs; nil where its flavor has none.
// Close it.
func (s *Supervisor) Outputs(ctx context.Context, r *runs.Run) (fetch.Source, func(), error) {
	last := -1
	for i, a := range r.Attempts {
		if a.Handle != nil {
			last = i
		}
	}
	var p plan
	if err := json.Unmarshal(r.Plan, &p); err != nil || p.Step == nil || last < 0 {
		return nil, func() {}, err
	}
	f, err := s.o.Flavor(ctx, r.Pin)
	if err != nil {
		return nil, func() {}, err
	}
	if !f.Manifest.Can("read_output") {
		return nil, func() {}, nil
	}
	o := &outputs{backend: newBackend(s.o.Processes, f.Spec), req: requestOf(r, p, last), resolver: s.o.Resolver}
	return o, o.backend.close, nil
}

// List asks for the files of a location.
func (o *outputs) List(ctx context.Context, location string) ([]fetch.File, error) {
	s, err := o.open(ctx, &operatorv1.ReadOutputRequest{Location: location,
		What: &operatorv1.ReadOutputRequest_List_{List: &operatorv1.ReadOutputRequest_List{}}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var files []fetch.File
	for {
		m, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case m == nil:
			return files, nil
		case m.GetFile() != nil:
			files = append(files, fileOf(m.GetFile()))
		}
	}
}

// Open begins to read a file.
func (o *outputs) Open(ctx context.Context, location, name string, offset int64, version string) (fetch.File, io.ReadCloser, error) {
	s, err := o.open(ctx, &operatorv1.ReadOutputRequest{Location: location, What: &operatorv1.ReadOutputRequest_Read_{
		Read: &operatorv1.ReadOutputRequest_Read{Name: name, Offset: offset, Version: version}}})
	if err != nil {
		return fetch.File{}, nil, err
	}
	m, err := s.next()
	if err == nil && m.GetFile() == nil {
		err = errors.New("the plugin did not say of which file the bytes are; this is a bug of the flavor")
	}
	if err != nil {
		_ = s.Close()
		return fetch.File{}, nil, err
	}
	return fileOf(m.GetFile()), s, nil
}

func fileOf(f *operatorv1.OutputFile) fetch.File {
	out := fetch.File{Name: f.GetName(), Bytes: f.GetBytes(), Version: f.GetVersion(), Offset: f.GetOffset()}
	if f.GetModifiedAt() != nil {
		out.Modified = f.GetModifiedAt().AsTime()
	}
	return out
}

// outputStream is one call of ReadOutput.
type outputStream struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stream operatorv1.StepOperator_ReadOutputClient
	quiet  *time.Timer
	bound  time.Duration
	// explain says what an error of the transport means.
	explain func(context.Context, error) error
	rest    []byte
	over    bool
}

var errSilent = errors.New("the plugin sent nothing of the output for a long time")

func (o *outputs) open(ctx context.Context, q *operatorv1.ReadOutputRequest) (*outputStream, error) {
	target, missing := o.req.target(ctx, o.resolver)
	if missing != nil {
		return nil, &fetch.StopError{Err: missing}
	}
	q.Target, q.Handle, q.Key = target, o.req.handle, o.req.key
	p, err := o.backend.acquire(ctx)
	if err != nil {
		return nil, &fetch.StopError{Err: err}
	}
	s := &outputStream{explain: p.Explain, bound: outputSilence}
	if o.backend.spec.Attached {
		s.bound = attachedBound
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.quiet = time.AfterFunc(s.bound, func() { s.cancel(errSilent) })
	if s.stream, err = p.Client().ReadOutput(s.ctx, q); err != nil {
		err = s.failed(ctx, err)
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// next is the next message, or nil behind the last one.
func (s *outputStream) next() (*operatorv1.ReadOutputResponse, error) {
	if s.over {
		return nil, nil
	}
	s.quiet.Reset(s.bound)
	m, err := s.stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil, &fetch.BrokenError{Err: errors.New("the plugin ended the output without saying that it is whole")}
	case err != nil:
		return nil, s.failed(s.ctx, err)
	}
	if none := m.GetCouldNotAsk(); none != nil {
		cause := couldNotAsk(none)
		if cause.passes() {
			return nil, &fetch.BrokenError{Err: cause, After: none.GetRetryAfter().AsDuration()}
		}
		return nil, &fetch.StopError{Err: cause}
	}
	if bad := firstError(m.GetDiagnostics()); bad != nil {
		return nil, &problem.Error{Summary: diagnosticText(bad), Class: classOf(bad.GetClass(), problem.System)}
	}
	if m.GetDone() != nil {
		s.over = true
		return nil, nil
	}
	return m, nil
}

func (s *outputStream) failed(ctx context.Context, err error) error {
	if errors.Is(context.Cause(s.ctx), errSilent) {
		return &fetch.BrokenError{Err: errSilent}
	}
	if err = s.explain(ctx, err); transient(err) {
		return &fetch.BrokenError{Err: err}
	}
	return err
}

// Read reads the bytes of the file.
func (s *outputStream) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		m, err := s.next()
		switch {
		case err != nil:
			return 0, err
		case m == nil:
			return 0, io.EOF
		case m.GetFile() != nil:
			return 0, fmt.Errorf("the plugin began another file (%q) in the middle of one; this is a bug of the flavor", problem.Bound(m.GetFile().GetName(), 256))
		}
		s.rest = m.GetData()
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close ends the call.
func (s *outputStream) Close() error {
	s.quiet.Stop()
	s.cancel(nil)
	return nil
}

var (
	_ fetch.Source  = (*outputs)(nil)
	_ io.ReadCloser = (*outputStream)(nil)
)
