package launch

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/runs"
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

	mu     sync.Mutex
	drives map[string]*drive // by run ID
	stop   context.CancelFunc
	polled sync.WaitGroup
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
	return &Supervisor{o: o, drives: map[string]*drive{}}
}

// Close stops the poller. It does not end drives: their contexts do.
func (s *Supervisor) Close() {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	s.polled.Wait()
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
// ownership is needed: the owner sees the intent within intentPoll.
func (s *Supervisor) Cancel(ctx context.Context, id string, in runs.Intent) error {
	_, err := s.o.Store.RequestCancel(ctx, id, in)
	if err != nil {
		return err
	}
	s.wake(id)
	return nil
}
