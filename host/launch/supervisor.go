package launch

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/runs/spool"
	"github.com/stephost/stephost/host/schema"
)

// Flavor is what a launch needs of a flavor: what it declares and how its
// process is started.
type Flavor struct {
	Manifest *manifest.Manifest
	// ArtifactSHA256 is the pin of the implementation, hex.
	ArtifactSHA256 string
	Spec           process.Spec
}

// Options of a Supervisor. Store, Owner, Processes and Flavor are required.
type Options struct {
	Home      home.Home
	Store     *runs.Store
	Owner     *runs.Owner
	Processes *process.Manager
	// Flavor finds the flavor version and the implementation that a run is
	// pinned to. Safe for concurrent use.
	Flavor func(ctx context.Context, pin runs.Pin) (*Flavor, error)
	// Resolver resolves references to secrets when a call needs them.
	Resolver schema.Resolver
	Log      hclog.Logger
	// Notify receives what a person who watches a run wants to see. It must not
	// block. May be nil.
	Notify func(Notice)
	// Now is the wall clock; nil = time.Now. Deadlines are wall-clock instants
	// because monotonic clocks stop while a laptop sleeps.
	Now func() time.Time
}

// Supervisor drives any number of runs at the same time. They share plugin
// processes, the store and one poller for cancel intents. Safe for concurrent
// use.
type Supervisor struct {
	o Options

	buffers spool.Buffers // shared by the logs of all runs

	mu     sync.Mutex
	drives map[string]*drive // by run ID
	fresh  map[string]*owned // created here, not driven yet
	stop   context.CancelFunc
	polled sync.WaitGroup
}

// owned is a run in the hands of this process: its claim and its log.
type owned struct {
	claim *runs.Claim
	log   *spool.Writer
	// flavor is what it was created with; nil = it was claimed, and is looked for.
	flavor *Flavor
}

// intentPoll is how often the store is asked for cancel intents of other
// processes. One indexed query a second for all runs of this process; a person
// who types `run cancel` waits a second at most.
const intentPoll = time.Second

// New makes a Supervisor. Nothing is started before the first Drive.
func New(o Options) *Supervisor {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notify == nil {
		o.Notify = func(Notice) {}
	}
	return &Supervisor{o: o, drives: map[string]*drive{}, fresh: map[string]*owned{}}
}

// Close stops the poller and gives back runs that were created and never
// driven. It does not end drives: their contexts do.
func (s *Supervisor) Close() {
	s.mu.Lock()
	stop, fresh := s.stop, s.fresh
	s.stop, s.fresh = nil, map[string]*owned{}
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	for _, f := range fresh {
		s.giveBack(f)
	}
	s.polled.Wait()
}

// own claims a run. One that was created by this Supervisor is its own already.
func (s *Supervisor) own(ctx context.Context, id string, o runs.ClaimOptions) (*owned, error) {
	s.mu.Lock()
	f := s.fresh[id]
	delete(s.fresh, id)
	s.mu.Unlock()
	if f != nil {
		return f, nil
	}
	claim, err := s.o.Store.Claim(ctx, id, s.o.Owner, o)
	if err != nil {
		return nil, err
	}
	// A store that was replaced by an older copy counts fences that the log has seen
	// already. Nobody else writes it for that: the count goes on behind them.
	newest, err := spool.Fence(s.o.Store.LogDir(claim.Run().ID))
	for err == nil && claim.Fence() <= newest {
		claim, err = s.o.Store.Claim(ctx, claim.Run().ID, s.o.Owner, runs.ClaimOptions{})
		if err != nil {
			return nil, err
		}
	}
	return &owned{claim: claim}, nil // what is wrong with the log, its opening tells
}

// openLog opens the log for writing, under the claim's fence.
func (s *Supervisor) openLog(f *owned) error {
	if f.log != nil {
		return nil
	}
	w, err := spool.OpenWriter(s.o.Store.LogDir(f.claim.Run().ID), spool.Options{Fence: f.claim.Fence(), Buffers: &s.buffers})
	if err != nil {
		return err
	}
	f.log = w
	return nil
}

// releaseBound bounds giving a run back; its owner's lock file tells the truth
// anyway.
const releaseBound = 5 * time.Second

// giveBack closes the log and releases the claim.
func (s *Supervisor) giveBack(f *owned) {
	if f.log != nil {
		if err := f.log.Close(); err != nil {
			s.o.Log.Warn("closing the log failed", "error", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseBound)
	defer cancel()
	if err := f.claim.Release(ctx); err != nil {
		s.o.Log.Warn("releasing the run failed", "error", err)
	}
}

// LogReader reads the log of a run that this process writes: it hears of new
// entries at once. nil when another process writes it, or nobody.
func (s *Supervisor) LogReader(id string, o spool.ReadOptions) (*spool.Reader, error) {
	s.mu.Lock()
	var w *spool.Writer
	if f := s.fresh[id]; f != nil {
		w = f.log
	} else if d := s.drives[id]; d != nil {
		w = d.writer()
	}
	s.mu.Unlock()
	if w == nil {
		return nil, nil
	}
	o.Buffers = &s.buffers
	return w.NewReader(o)
}

// enter registers a drive, so that intents reach it, and starts the poller with
// the first one.
func (s *Supervisor) enter(d *drive) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drives[d.id] = d
	if s.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		s.stop = cancel
		s.polled.Go(func() { s.poll(ctx) })
	}
}

func (s *Supervisor) leave(d *drive) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.drives, d.id)
}

// poll brings cancel intents that other processes stored to the drives.
func (s *Supervisor) poll(ctx context.Context) {
	tick := time.NewTicker(intentPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ids, err := s.o.Store.Intents(ctx, s.o.Owner.ID())
		if err != nil {
			if ctx.Err() == nil {
				s.o.Log.Warn("could not read cancel intents", "error", err)
			}
			continue
		}
		for id := range ids {
			s.wake(id)
		}
		s.wakeReplaced(ctx)
	}
}

// wakeReplaced makes the drives look at their records whose runs have another owner
// by now: a job that is silent for hours would not tell them.
func (s *Supervisor) wakeReplaced(ctx context.Context) {
	mine, err := s.o.Store.Owned(ctx, s.o.Owner.ID())
	if err != nil {
		return // the question about intents is asked again, too
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, d := range s.drives {
		if !mine[id] {
			d.poke()
		}
	}
}

// wake makes the drive of a run look at its record.
func (s *Supervisor) wake(id string) {
	s.mu.Lock()
	d := s.drives[id]
	s.mu.Unlock()
	if d != nil {
		d.poke()
	}
}

// Cancel stores the intent to cancel a run (durable before it returns) and
// tells its drive, if that lives in this process. Any process may call it, no
// ownership is needed: the owner sees the intent within intentPoll. A drive in this
// process obeys also what could not be stored: then the error is an *UnstoredError.
func (s *Supervisor) Cancel(ctx context.Context, id string, in runs.Intent) error {
	_, err := s.o.Store.RequestCancel(ctx, id, in)
	if err == nil {
		s.wake(id)
		return nil
	}
	if unwritable(err) || ctx.Err() != nil {
		s.mu.Lock()
		d := s.drives[id]
		s.mu.Unlock()
		if d != nil {
			d.want(in)
			return &UnstoredError{Run: id, Err: err}
		}
		return &problem.Error{Summary: "the cancel could not be stored", Run: id, Err: err,
			Next: "make room on the disk and try again; a Ctrl-C in the terminal of its launch ends the job all the same"}
	}
	return err
}
