package host

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/internal/version"
)

// Options of a Host. The zero value of everything but Home works.
type Options struct {
	Home home.Home
	// Shipped is the directory of the flavors that came with stephost.
	Shipped string
	// Resolver resolves references to environment variables, files and secrets;
	// nil = those of this process.
	Resolver schema.Resolver
	Log      hclog.Logger
	// Notify receives what a person who watches a run wants to see. It must not
	// block. May be nil.
	Notify func(launch.Notice)
	// UnsafeStore accepts a store on a network file system.
	UnsafeStore bool
	// Attach names, for single flavors, the directory where a plugin listens that
	// a person has started, for example under a debugger; it is used in place of
	// the registered one. Relay is the command that process.Relay is called by;
	// the directory is added to it.
	Attach map[string]string
	Relay  []string
	// Panicked is told each panic of a plugin; it must not block. May be nil.
	Panicked func(process.Panic)
	// LogLevels are levels of the logs of single flavors (process.Options.Levels).
	LogLevels map[string]hclog.Level
}

// Host opens what is asked for. Safe for concurrent use.
type Host struct {
	o        Options
	sources  *diag.Sources
	registry *registry.Registry

	mu         sync.Mutex
	store      *runs.Store
	owner      *runs.Owner
	processes  *process.Manager
	supervisor *launch.Supervisor
	warming    sync.WaitGroup
}

// New makes a Host. Nothing is opened.
func New(o Options) *Host {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	sources := &diag.Sources{}
	return &Host{o: o, sources: sources, registry: registry.New(o.Home, registry.Options{Shipped: o.Shipped, Sources: sources})}
}

// Home is where this host keeps its files.
func (h *Host) Home() home.Home { return h.o.Home }

// Sources holds the text of everything that was read, for diagnostics.
func (h *Host) Sources() *diag.Sources { return h.sources }

// Registry is the room of flavors and operators.
func (h *Host) Registry() *registry.Registry { return h.registry }

func (h *Host) resolver(ctx context.Context) schema.Resolver {
	if h.o.Resolver != nil {
		return h.o.Resolver
	}
	return schema.OSResolver(ctx)
}

// Runs opens the store of runs.
func (h *Host) Runs(ctx context.Context) (*runs.Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.openStore(ctx)
}

func (h *Host) openStore(ctx context.Context) (*runs.Store, error) {
	if h.store != nil {
		return h.store, nil
	}
	if err := h.o.Home.Make(h.o.Home.Runs()); err != nil {
		return nil, err
	}
	s, err := runs.Open(ctx, h.o.Home.Runs(), runs.Options{Owners: h.o.Home.Owners(), UnsafeStore: h.o.UnsafeStore})
	if err != nil {
		return nil, storeProblem(err)
	}
	h.store = s
	return s, nil
}

// processManager is the room of plugin processes; nothing is started.
func (h *Host) processManager() *process.Manager {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.openProcesses()
}

func (h *Host) openProcesses() *process.Manager {
	if h.processes == nil {
		h.processes = process.NewManager(process.Options{
			HostVersion: version.Version, Logger: h.o.Log.Named("plugin"), SocketDir: h.o.Home.Sockets(), Levels: h.o.LogLevels, Panicked: h.o.Panicked})
	}
	return h.processes
}

// Supervisor is the room that drives runs. It opens the store and makes this
// process an owner.
func (h *Host) Supervisor(ctx context.Context) (*launch.Supervisor, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.supervisor != nil {
		return h.supervisor, nil
	}
	store, err := h.openStore(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.o.Home.Make(h.o.Home.Owners()); err != nil {
		return nil, err
	}
	if h.owner, err = runs.NewOwner(ctx, h.o.Home.Owners()); err != nil {
		return nil, err
	}
	h.supervisor = launch.New(launch.Options{
		Home: h.o.Home, Store: store, Owner: h.owner, Processes: h.openProcesses(), Flavor: h.pinned,
		Resolver: h.resolver(context.WithoutCancel(ctx)), Log: h.o.Log.Named("launch"), Notify: h.o.Notify,
	})
	return h.supervisor, nil
}

// Close ends what was started and closes what was opened. The bound is that of
// ctx and of the process room.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	if h.supervisor != nil {
		h.supervisor.Close()
	}
	h.warming.Wait()
	// A plugin takes a moment to end; the store is closed meanwhile.
	ended := make(chan error, 1)
	go func(m *process.Manager) {
		if m == nil {
			ended <- nil
			return
		}
		ended <- m.Close(ctx)
	}(h.processes)
	if h.owner != nil {
		errs = append(errs, h.owner.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	errs = append(errs, <-ended)
	h.supervisor, h.processes, h.owner, h.store = nil, nil, nil, nil
	return errors.Join(errs...)
}
