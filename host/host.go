package host

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
	"github.com/stephost/stephost/internal/version"
)

// What a catalog is asked, and answers.
type (
	ProjectOptions    = catalog.ProjectOptions
	StepRequest       = catalog.StepRequest
	Selection         = catalog.Selection
	OperatorSelection = catalog.OperatorSelection
)

// Options of a Host. The zero value of everything but Home works.
type Options struct {
	// Catalog, if any, is the one to use; Home, Shipped and Resolver, which make
	// one, are not read then.
	Catalog *catalog.Catalog
	Home    home.Home
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
	*catalog.Catalog
	o Options

	mu         sync.Mutex
	store      *runs.Store
	owner      *runs.Owner
	processes  *process.Manager
	supervisor *launch.Supervisor
	warming    sync.WaitGroup
	checked    map[*Selection]*launch.Flavor // by Start, until it is taken
}

// New makes a Host. Nothing is opened.
func New(o Options) *Host {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Catalog == nil {
		o.Catalog = catalog.New(catalog.Options{Home: o.Home, Shipped: o.Shipped, Resolver: o.Resolver})
	}
	return &Host{Catalog: o.Catalog, o: o, checked: map[*Selection]*launch.Flavor{}}
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
	if err := h.Home().Make(h.Home().Runs()); err != nil {
		return nil, err
	}
	s, err := runs.Open(ctx, h.Home().Runs(), runs.Options{Owners: h.Home().Owners(), UnsafeStore: h.o.UnsafeStore})
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
			HostVersion: version.Version, Logger: h.o.Log.Named("plugin"), SocketDir: h.Home().Sockets(), Levels: h.o.LogLevels, Panicked: h.o.Panicked})
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
	if err := h.Home().Make(h.Home().Owners()); err != nil {
		return nil, err
	}
	if h.owner, err = runs.NewOwner(ctx, h.Home().Owners()); err != nil {
		return nil, ownerProblem(h.Home().Owners(), err)
	}
	h.supervisor = launch.New(launch.Options{
		Home: h.Home(), Store: store, Owner: h.owner, Processes: h.openProcesses(), Flavor: h.pinned,
		Resolver: h.Resolver(context.WithoutCancel(ctx)), Log: h.o.Log.Named("launch"), Notify: h.o.Notify,
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
