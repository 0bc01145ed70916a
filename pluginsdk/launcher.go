package pluginsdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// launchStop is how long the steps of a Launcher have to end when the plugin
// ends: enough to kill child processes, and below serve.TeardownLimit.
const launchStop = 1500 * time.Millisecond

// launchDelay is how long a step waits at most for the call that shows that the
// answer of Submit has arrived. A step that ends its process at once would take the
// answer with it, and nobody could tell that it was ever begun.
const launchDelay = time.Second

// errExited is what is known of a Launch that neither returned nor panicked.
var errExited = errors.New("the flavor's Launch ended its goroutine (runtime.Goexit) instead of returning")

// Launch makes an Implementation of l. Steps live and die with the plugin
// process: after its death their runs are lost (class lost), never started a
// second time.
func Launch(l Launcher) Implementation {
	i := &launcher{impl: l, jobs: map[string]*launchJob{}}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

type launcher struct {
	impl   Launcher
	ctx    context.Context // ends with the process
	cancel context.CancelFunc

	mu   sync.Mutex
	jobs map[string]*launchJob // by key
}

func (l *launcher) check(m *manifest) error {
	return m.agree(map[string]bool{capCancel: true, capFind: true, capLogs: true, capCleanup: true}, false)
}

func (l *launcher) close(ctx context.Context) {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		select {
		case <-j.done:
		case <-ctx.Done():
			return
		}
	}
}

func (l *launcher) open(*operatorv1.Target) (*session, error) {
	return &session{
		submit: l.submit, status: l.status, watch: l.watch, cancel: l.stop,
		find: l.find, logs: l.logs, scope: machineScope, cleanup: l.cleanup,
	}, nil
}

// launchHandle is what the handle of a Launcher holds.
type launchHandle struct {
	Dir     string `json:"dir"`
	Attempt int    `json:"attempt"`
}

// submit starts the step unless it was started before, in this process or in
// one that is gone.
func (l *launcher) submit(call context.Context, s *Step) (Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return Handle{}, Rejected(System(errors.New("the plugin is ending")))
	}
	if j, ok := l.jobs[s.Key]; ok {
		return j.existing(s.RequestDigest)
	}
	j, existing, err := newLaunchJob(s)
	if err != nil {
		return Handle{}, err
	}
	if existing {
		return j.existing(s.RequestDigest)
	}
	l.jobs[s.Key] = j
	s.Stdout, s.Stderr = j.stdout, j.stderr
	ctx, cancel := context.WithCancel(WithLogger(l.ctx, Logger(call)))
	j.cancel = cancel
	go func() {
		defer cancel()
		l.run(ctx, s, j)
	}()
	return j.handle(), nil
}

// run launches the step and stores its verdict, however Launch ends.
func (l *launcher) run(ctx context.Context, s *Step, j *launchJob) {
	sleep(ctx, launchDelay, j.answered)
	if s.Deadlines.Run > 0 {
		limited, cancel := context.WithTimeout(ctx, s.Deadlines.Run)
		defer cancel()
		ctx = limited
	}
	err := ctx.Err() // it may be over already
	defer func() { j.finish(ctx, err, l.ctx.Err() != nil) }()
	if err == nil {
		err = errExited
		err = guard(ctx, "Launch", func() error { return l.impl.Launch(ctx, s) })
	}
}

// find knows the jobs of this process only. ABSENT is the truth about others: a
// step dies with its process, and Submit finds the mark that it left.
func (l *launcher) find(_ context.Context, q Query) (Found, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found Found
	for key, j := range l.jobs {
		if (q.Key != "" && key == q.Key) || (q.Token != "" && j.meta.Token == q.Token) {
			h := j.handle()
			h.Key = key
			found.Jobs = append(found.Jobs, Job{
				Handle: h, Attempt: j.meta.Attempt, RequestDigest: j.meta.Digest,
				Phase: j.now().Phase, CreatedAt: j.meta.Started, RunID: j.meta.RunID,
			})
		}
	}
	return found, nil
}

// job returns the job of h when it lives in this process.
func (l *launcher) job(h Handle) (*launchJob, launchHandle, error) {
	var lh launchHandle
	if err := json.Unmarshal(h.Data, &lh); err != nil {
		return nil, lh, System(fmt.Errorf("the handle cannot be read: %w", err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.jobs[h.Key]
	if j != nil {
		poke(j.answered)
	}
	return j, lh, nil
}

func (l *launcher) status(_ context.Context, h Handle) (Status, error) {
	j, lh, err := l.job(h)
	if err != nil {
		return Status{}, err
	}
	if j != nil {
		return j.now(), nil
	}
	return statusFromDisk(lh.Dir)
}

func (l *launcher) watch(ctx context.Context, h Handle, report func(Status)) error {
	j, lh, err := l.job(h)
	if err != nil {
		return err
	}
	if j == nil {
		st, err := statusFromDisk(lh.Dir)
		if err == nil {
			report(st)
		}
		return err
	}
	report(j.now())
	select {
	case <-j.done:
		report(j.now())
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *launcher) stop(_ context.Context, h Handle, _ CancelOptions) error {
	j, lh, err := l.job(h)
	if err != nil {
		return err
	}
	if j == nil {
		if _, err := statusFromDisk(lh.Dir); err != nil {
			return err
		}
		return ErrAlreadyOver
	}
	if j.now().Phase.Terminal() {
		return ErrAlreadyOver
	}
	j.stop()
	return nil
}

func (l *launcher) cleanup(_ context.Context, h Handle, what What) error {
	j, lh, err := l.job(h)
	if err != nil {
		return err
	}
	if what != Record {
		return nil
	}
	if j != nil {
		select {
		case <-j.done:
		default:
			return Unreachable(errors.New("the step is still running"))
		}
		l.mu.Lock()
		delete(l.jobs, h.Key)
		l.mu.Unlock()
	}
	return removeJobDir(lh.Dir)
}

// machineScope is the scope of a Launcher: this machine, as far as a process
// can name it. Containers of one image share a machine id, so the host name
// belongs to it.
func machineScope(context.Context) (Scope, error) {
	name, err := os.Hostname()
	if err != nil {
		return Scope{}, Unreachable(fmt.Errorf("this machine has no name: %w", err))
	}
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Scope{}, Unreachable(err)
	}
	return Scope{ID: "machine:" + name + ":" + strings.TrimSpace(string(id)), Display: "machine " + name}, nil
}
