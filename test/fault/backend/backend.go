package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stephost/stephost/test/fault/wire"
)

// stopTimeout bounds the end of the backend: all its processes are killed hard.
const stopTimeout = 10 * time.Second

// Backend holds the jobs of one directory.
type Backend struct {
	dir    string
	ctx    context.Context
	cancel context.CancelFunc
	lives  sync.WaitGroup

	mu           sync.Mutex
	account      string
	jobs         map[string]*job // those that exist, by account and id
	all          []*job          // also deleted ones, in order of creation
	rules        []wire.FaultRule
	spent        map[string]int // faults used up, by kind and key
	stats        wire.Stats
	projects     map[string]wire.Stats // the same by project
	unreachable  time.Time             // until
	throttled    time.Time             // until
	retryAfter   time.Duration
	unauthorized bool
	sequence     int
}

// New makes a backend that keeps its state in dir.
func New(dir string) (*Backend, error) {
	if err := os.MkdirAll(filepath.Join(dir, "jobs"), 0o700); err != nil {
		return nil, err
	}
	b := &Backend{dir: dir, account: "main", jobs: map[string]*job{}, spent: map[string]int{}, stats: wire.Stats{}, projects: map[string]wire.Stats{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, b.load()
}

// load brings back the jobs of an earlier backend on the same directory. One
// that was not over is broken: nobody waited for its process.
func (b *Backend) load() error {
	files, err := filepath.Glob(filepath.Join(b.dir, "jobs", "*", "job.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var stored storedJob
		if err := json.Unmarshal(data, &stored); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		j := &job{Job: stored.Job, account: stored.Account, dir: filepath.Dir(file), stop: make(chan struct{})}
		if !wire.Over(j.State) {
			j.State, j.Reason, j.Ended = wire.Broken, "BackendRestarted", time.Now()
		}
		b.all = append(b.all, j)
		if !j.Deleted {
			b.jobs[j.account+"/"+j.ID] = j
		}
		b.sequence++
	}
	return nil
}

// Serve answers on l until ctx ends, and then ends every process.
func (b *Backend) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: b.handler(), BaseContext: func(net.Listener) context.Context { return b.ctx }}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	err := server.Serve(l)
	b.cancel()
	done := make(chan struct{})
	go func() { b.lives.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(stopTimeout):
		return errors.New("some processes did not end")
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// find returns an existing job of the account that answers now; b.mu is held.
func (b *Backend) find(id string) *job { return b.jobs[b.account+"/"+id] }

// create makes a job; b.mu is held. The request's name is free.
func (b *Backend) create(r wire.JobRequest, f wire.Faults, incomplete bool) (*job, error) {
	b.sequence++
	id := r.Name
	if id == "" {
		id = fmt.Sprintf("job-%06d", b.sequence)
	}
	dir := filepath.Join(b.dir, "jobs", fmt.Sprintf("%06d-%s", b.sequence, id))
	if err := os.MkdirAll(filepath.Join(dir, "output"), 0o700); err != nil {
		return nil, err
	}
	now := time.Now()
	j := &job{
		Job: wire.Job{
			ID: id, Labels: maps.Clone(r.Labels), Digest: r.Digest, Argv: r.Argv, State: wire.Queued,
			Created: now, Since: now, Incomplete: incomplete, Output: filepath.Join(dir, "output"),
		},
		account: b.account, dir: dir, request: r, faults: f, stop: make(chan struct{}),
	}
	if f.RemoteOutputs {
		j.Output = "fault://jobs/" + id + "/output"
	}
	if f.OtherDigest {
		j.Digest = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	}
	if err := j.store(); err != nil {
		return nil, err
	}
	b.jobs[b.account+"/"+id] = j
	b.all = append(b.all, j)
	if !incomplete {
		b.start(j)
	}
	return j, nil
}

// start begins the life of j; b.mu is held.
func (b *Backend) start(j *job) {
	j.Incomplete = false
	b.lives.Go(func() { b.live(j) })
}

// remove forgets j; b.mu is held.
func (b *Backend) remove(j *job) {
	delete(b.jobs, j.account+"/"+j.ID)
	j.Deleted = true
	_ = j.store()
}

// faultsFor returns the faults of a request: its own, else those of the newest
// rule that matches.
func (b *Backend) faultsFor(r wire.JobRequest) wire.Faults {
	if r.Faults != nil {
		return *r.Faults
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.rules) - 1; i >= 0; i-- {
		rule := b.rules[i]
		if rule.Label == "" || r.Labels[rule.Label] == rule.Value {
			return rule.Faults
		}
	}
	return wire.Faults{}
}

// spend tells whether a fault that happens limit times is due once more.
func (b *Backend) spend(kind, key string, limit int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent[kind+"/"+key] >= limit {
		return false
	}
	b.spent[kind+"/"+key]++
	return true
}

// after runs f later, unless the backend ends first.
func (b *Backend) after(d time.Duration, f func()) {
	b.lives.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-b.ctx.Done():
		}
	})
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
