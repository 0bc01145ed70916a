package plugintest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// heartbeat is what Watch is asked for.
	heartbeat = time.Second
	// askAgain is the pace at which the suite itself asks for something.
	askAgain = 100 * time.Millisecond
)

// job is one attempt that a check submits.
type job struct {
	s      *suite
	step   *operatorv1.Step
	digest string
	handle *operatorv1.Handle
	native string
	// sent: Submit was called, so that there may be a job.
	sent bool
	// over: the verdict was seen.
	over          bool
	witness, gate string
	// times JobTimeout is what reading it may take; 0 = once.
	times int
}

// bound is how long one stream of the job is read.
func (j *job) bound() time.Duration { return time.Duration(max(j.times, 1)) * j.s.c.JobTimeout }

// noImage stands for an image where none is given: the quick tier asks whether a step is
// right and how it would be sent, and runs nothing. RFC 6761 keeps its registry from
// existing.
const noImage = "registry.invalid/plugintest@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// newJob makes a step of its own key that runs script with args.
func (s *suite) newJob(script string, args ...string) (*job, error) {
	j := &job{s: s, digest: strings.Repeat("0123456789abcdef", 4)}
	key := randomName()
	j.step = &operatorv1.Step{
		RunId: "plugintest-" + key[:8], RunToken: "plugintest/" + s.id + "/" + key, Attempt: 1, Key: key,
		Pipeline: "plugintest", PipelineRun: s.id, Name: "conformance", Labels: map[string]string{"stephost.dev/test": "conformance"},
		Argv: slices.Concat(s.c.Shell, []string{script, "sh"}, args), Env: map[string]string{"PT_KEY": key},
		Resources: &operatorv1.Resources{}, Deadlines: &operatorv1.Deadlines{}, Settings: s.setting,
		RunDir: filepath.Join(s.dir, "run-"+key), AllowVisibleSecrets: s.m.secrets == "visible",
	}
	work := filepath.Join(j.step.RunDir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(s.m.environments, "directory"):
		j.step.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Directory_{Directory: &operatorv1.Environment_Directory{Path: work}}}
	case slices.Contains(s.m.environments, "image"):
		j.step.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Image_{Image: &operatorv1.Environment_Image{Reference: cmp.Or(s.c.Image, noImage), Shim: s.c.Shim}}}
	default:
		j.step.Environment = &operatorv1.Environment{Kind: &operatorv1.Environment_Raw_{Raw: &operatorv1.Environment_Raw{}}}
	}
	if s.c.Witness != "" {
		dir, err := filepath.Abs(s.c.Witness)
		if err != nil {
			return nil, err
		}
		j.witness, j.gate = filepath.Join(dir, "witness-"+key), filepath.Join(dir, "gate-"+key)
		j.step.Env["PT_WITNESS"], j.step.Env["PT_GATE"] = j.witness, j.gate
	}
	return j, nil
}

// request is the Submit of j.
func (j *job) request() *operatorv1.SubmitRequest {
	return &operatorv1.SubmitRequest{Target: j.s.target(), Step: proto.Clone(j.step).(*operatorv1.Step), RequestDigest: j.digest}
}

// submit sends the Submit of j to p, with Prepare before it.
func (j *job) submit(ctx context.Context, p *process) (*operatorv1.SubmitResponse, error) {
	r, err := j.prepared(ctx, p)
	if err != nil {
		return nil, err
	}
	answer, err := call(ctx, j.s, "Submit", p.client.Submit, r)
	if a := answer.GetAccepted(); a != nil {
		j.accept(a)
	}
	return answer, err
}

// prepared runs Prepare and returns the Submit that is due. From here on there
// may be a job.
func (j *job) prepared(ctx context.Context, p *process) (*operatorv1.SubmitRequest, error) {
	if j.s.scope == nil {
		// As the host does. When it cannot be had, that is for scope.stable to say.
		j.s.scope, _ = j.s.askScope(ctx, p)
	}
	r := j.request()
	if j.s.caps["prepare"] {
		done, err := j.s.prepare(ctx, p, j.step)
		if err != nil {
			return nil, err
		}
		r.Prepared = done.GetPrepared()
	}
	if !j.sent {
		j.sent = true
		j.s.jobs = append(j.s.jobs, j)
	}
	return r, nil
}

func (j *job) accept(a *operatorv1.SubmitResponse_Accepted) {
	j.handle, j.native = a.GetHandle(), a.GetNativeName()
}

// start submits j and demands ACCEPTED.
func (j *job) start(ctx context.Context, p *process) error {
	r, err := j.submit(ctx, p)
	if err != nil {
		return err
	}
	if r.GetAccepted() == nil {
		return fmt.Errorf("Submit answered %s, expected ACCEPTED", outcomeOf(r))
	}
	return nil
}

// begin makes a job on the shared process and starts it.
func (s *suite) begin(ctx context.Context, script string, args ...string) (*process, *job, error) {
	p, err := s.plugin(ctx)
	if err != nil {
		return nil, nil, err
	}
	j, err := s.newJob(script, args...)
	if err != nil {
		return nil, nil, err
	}
	return p, j, j.start(ctx, p)
}

func (j *job) watchRequest() *operatorv1.WatchRequest {
	return &operatorv1.WatchRequest{Target: j.s.target(), Handle: j.handle, Key: j.step.Key, HeartbeatInterval: durationpb.New(heartbeat)}
}

// watch reads a Watch stream until each says stop or the stream ends, with a
// bound for the whole. The error of an orderly end is io.EOF.
func (j *job) watch(ctx context.Context, p *process, each func(*operatorv1.WatchResponse) (stop bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, j.bound())
	defer cancel()
	stream, err := p.client.Watch(ctx, j.watchRequest())
	if err != nil {
		return j.s.transport(ctx, "Watch", err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return j.s.transport(ctx, "Watch", err)
		}
		j.s.spoken = append(j.s.spoken, fmt.Sprint(m))
		if m.GetTerminal() != nil {
			j.over = true
		}
		if stop, err := each(m); stop || err != nil {
			return err
		}
	}
}

// verdict watches until the terminal event.
func (j *job) verdict(ctx context.Context, p *process) (*operatorv1.Terminal, error) {
	var end *operatorv1.Terminal
	err := j.watch(ctx, p, func(m *operatorv1.WatchResponse) (bool, error) {
		end = m.GetTerminal()
		return end != nil, nil
	})
	if errors.Is(err, io.EOF) {
		return nil, errors.New("Watch ended without a terminal event")
	}
	return end, err
}

// expect demands a phase of the verdict.
func (j *job) expect(ctx context.Context, p *process, phase operatorv1.Phase) (*operatorv1.Terminal, error) {
	end, err := j.verdict(ctx, p)
	if err != nil {
		return nil, err
	}
	if end.GetPhase() != phase {
		return end, fmt.Errorf("the verdict is %s, expected %s", terminalText(end), strings.TrimPrefix(phase.String(), "PHASE_"))
	}
	return end, nil
}

// running waits until the step itself runs.
func (j *job) running(ctx context.Context, p *process) error {
	if j.witness != "" {
		return j.s.eventually(ctx, "the step has started", func() (bool, error) { return len(j.told("start")) > 0, nil })
	}
	return j.watch(ctx, p, func(m *operatorv1.WatchResponse) (bool, error) {
		if m.GetTerminal() != nil {
			return true, fmt.Errorf("the job was over before it was seen running: %s", terminalText(m.GetTerminal()))
		}
		return m.GetStatus().GetPhase() == operatorv1.Phase_PHASE_RUNNING, nil
	})
}

// told returns what the step wrote into its witness under this word.
func (j *job) told(word string) []string {
	data, err := os.ReadFile(j.witness)
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), word+" "); ok {
			out = append(out, rest)
		}
	}
	return out
}

// release lets a step that waits for its gate go on.
func (j *job) release() {
	if j.gate != "" {
		_ = os.WriteFile(j.gate, nil, 0o600)
	}
}

// runs checks how often the step ran and how many jobs there are.
func (j *job) runs(ctx context.Context, atLeast, atMost int) error {
	if j.witness != "" {
		if n := len(j.told("start")); n < atLeast || n > atMost {
			return fmt.Errorf("by its own witness the step ran %d times, expected %s", n, between(atLeast, atMost))
		}
	}
	if j.s.c.List != nil {
		names, err := j.s.c.List(ctx, j.step.Key)
		if err != nil {
			return fmt.Errorf("Config.List: %w", err)
		}
		if len(names) < atLeast || len(names) > atMost {
			return fmt.Errorf("the backend holds %d jobs for the key (%s), expected %s", len(names), strings.Join(names, ", "), between(atLeast, atMost))
		}
	}
	return nil
}

func between(low, high int) string {
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

// eventually waits until f says so, bounded by JobTimeout.
func (s *suite) eventually(ctx context.Context, what string, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.JobTimeout)
	defer cancel()
	for {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if pause(ctx, askAgain) != nil {
			return fmt.Errorf("waited in vain for: %s", what)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// name of the job for people.
func (j *job) name() string {
	if j.native != "" {
		return printable(j.native, maxWord) + " (key " + j.step.Key + ")"
	}
	return "key " + j.step.Key
}

// finish ends the job as far as the plugin can, and removes it where it can;
// false when it may still run.
func (j *job) finish(ctx context.Context) bool {
	j.release()
	if j.over {
		return true
	}
	p, err := j.s.plugin(ctx)
	if err != nil {
		return false
	}
	if j.handle == nil && j.s.caps["find"] {
		if r, err := j.s.find(ctx, p, j.step.Key); err == nil && len(r.GetJobs()) > 0 {
			j.handle = r.GetJobs()[0].GetHandle()
		}
	}
	if j.handle == nil {
		return j.witness != "" && len(j.told("start")) == 0
	}
	if j.s.caps["cancel"] {
		_, _ = call(ctx, j.s, "Cancel", p.client.Cancel, &operatorv1.CancelRequest{Target: j.s.target(), Handle: j.handle, Key: j.step.Key, Force: true})
	}
	ctx, cancel := context.WithTimeout(ctx, finishLimit)
	defer cancel()
	end, err := j.verdict(ctx, p)
	return err == nil && end != nil
}

// finishLimit bounds the wait for one job at the end of the suite.
const finishLimit = 20 * time.Second
