package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/internal/pyenv"
	"github.com/stephost/stephost/internal/version"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

const (
	// pythonStarts are interleaved starts; one of Python takes a sixth of a second.
	pythonStarts = 15
	// pythonRounds of the log rows; one takes a second.
	pythonRounds = 5
	// pythonLines of lineLength bytes, with their newline, make the log.
	pythonLines = 500_000
	lineLength  = 100
	// pythonBound ends a start or a log that hangs, and the first making of the
	// virtual environment.
	pythonBound = 10 * time.Minute
)

// authored is a flavor made with one of the SDKs.
type authored struct {
	language, name string
	argv           []string
	settings       string

	starts, calls, live, again stats.Sample
}

// benchPython compares the SDKs: a flavor of a few lines in Go and in Python,
// from exec to the first answer, for one more call, and for a log on its way to
// the host, without the host's spool.
func benchPython(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, pythonBound)
	defer cancel()
	env, err := pyenv.Make(ctx, b.Root)
	if err != nil {
		return err
	}
	inGo, err := b.Build(ctx, "goflavor")
	if err != nil {
		return err
	}
	sockets, err := b.TempDir("s")
	if err != nil {
		return err
	}
	both := []*authored{
		{language: "Go", name: "goflavor", argv: []string{inGo}, settings: "{}"},
		{language: "Python", name: "pool", argv: []string{env.Python, filepath.Join(b.Root, "examples", "python-flavor", "flavor.py")}, settings: `{"progress":""}`},
	}
	for range pythonStarts {
		for _, a := range both {
			if err := a.start(ctx, sockets); err != nil {
				return fmt.Errorf("%s: %w", a.language, err)
			}
		}
	}
	for range pythonRounds {
		for _, a := range both {
			if err := a.logs(ctx, b, sockets); err != nil {
				return fmt.Errorf("%s: %w", a.language, err)
			}
		}
	}
	for _, a := range both {
		b.addMS("start to first answer, "+a.language, a.starts)
		b.addMS("one more call, "+a.language, a.calls)
		b.Add(report.Line{What: "a log while it is printed, " + a.language, Sample: a.live, Unit: "M lines/s"})
		b.Add(report.Line{What: "a log that is there, " + a.language, Sample: a.again, Unit: "M lines/s"})
	}
	b.addGoal("start to first answer, Python / Go", stats.Ratios(both[1].starts, both[0].starts), "x", "", false)
	b.Note("Both are small flavors of the kind Launcher, with mutual TLS. Lines have %d bytes and are counted at the host's end of the connection.", lineLength)
	return nil
}

// acquire starts the flavor's process; the manager ends it.
func (a *authored) acquire(ctx context.Context, sockets string) (*process.Manager, *process.Plugin, error) {
	m := process.NewManager(process.Options{HostVersion: version.Version, SocketDir: sockets})
	p, err := m.Acquire(ctx, process.Spec{
		Flavor: a.name, Version: "0.1.0",
		Executable: func(context.Context) (*process.Executable, error) { return &process.Executable{Argv: a.argv}, nil },
	})
	if err != nil {
		return nil, nil, errors.Join(err, m.Close(ctx))
	}
	return m, p, nil
}

func (a *authored) start(ctx context.Context, sockets string) error {
	began := time.Now()
	m, p, err := a.acquire(ctx, sockets)
	if err != nil {
		return err
	}
	a.starts = append(a.starts, lab.Milliseconds(time.Since(began)))
	began = time.Now()
	_, err = p.Client().GetMetadata(ctx, &operatorv1.GetMetadataRequest{})
	a.calls = append(a.calls, lab.Milliseconds(time.Since(began)))
	p.Release()
	return errors.Join(err, m.Close(ctx))
}

// logs reads a step's log twice: as it is printed, and afterwards.
func (a *authored) logs(ctx context.Context, b *bench, sockets string) (err error) {
	m, p, err := a.acquire(ctx, sockets)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	defer p.Release()
	dir, err := b.TempDir("run")
	if err != nil {
		return err
	}
	target := &operatorv1.Target{Operator: "bench", FlavorVersion: "0.1.0", ManifestDigest: p.Metadata().GetManifestDigest(),
		Config: &operatorv1.Values{Json: []byte(map[bool]string{true: `{"slots":1}`, false: `{}`}[a.name == "pool"])}}
	const size = pythonLines * (lineLength - 1)
	step := &operatorv1.Step{
		RunId: "run", RunToken: "token", Attempt: 1, Key: "abcdefghijklmnopqrstuvwxyz", RunDir: dir,
		Argv:     []string{"sh", "-c", fmt.Sprintf(`head -c %d /dev/zero | tr '\0' x | fold -w %d; echo`, size, lineLength-1)},
		Settings: &operatorv1.Values{Json: []byte(a.settings)},
	}
	r, err := p.Client().Submit(ctx, &operatorv1.SubmitRequest{Target: target, Step: step, RequestDigest: "d"})
	if err != nil {
		return err
	}
	if r.GetAccepted() == nil {
		return fmt.Errorf("the step was not accepted: %v", r.GetDiagnostics())
	}
	for _, to := range []*stats.Sample{&a.live, &a.again} {
		took, err := readLog(ctx, p, &operatorv1.LogsRequest{Target: target, Handle: r.GetAccepted().GetHandle(), Key: step.Key, Follow: true})
		if err != nil {
			return err
		}
		*to = append(*to, pythonLines/took.Seconds()/1e6)
	}
	return nil
}

// readLog reads the whole log and checks its size.
func readLog(ctx context.Context, p *process.Plugin, q *operatorv1.LogsRequest) (time.Duration, error) {
	began := time.Now()
	stream, err := p.Client().Logs(ctx, q)
	if err != nil {
		return 0, err
	}
	got := 0
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		for _, e := range m.GetEntries() {
			got += len(e.GetData())
		}
	}
	if want := pythonLines * lineLength; got != want {
		return 0, fmt.Errorf("%d of %d bytes came", got, want)
	}
	return time.Since(began), nil
}
