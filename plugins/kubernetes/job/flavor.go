package job

import (
	"context"
	"sync"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/plugins/kubernetes/internal/observe"
	"github.com/stephost/stephost/pluginsdk"
)

// Flavor runs Jobs. What it holds only saves work: clients and watches.
type Flavor struct {
	clients pluginsdk.Cache[*kube.Cluster]

	// Refine is another flavor's last word about a status; nil for none.
	Refine Refine

	mu   sync.Mutex
	hubs map[*kube.Cluster]*observe.Hub
}

// New makes a flavor without clients and watches.
func New() *Flavor {
	f := &Flavor{hubs: map[*kube.Cluster]*observe.Hub{}}
	f.clients.Release = f.release
	return f
}

// cluster is the namespace that the config means.
func (f *Flavor) cluster(ctx context.Context, c Config) (*kube.Cluster, error) {
	place, err := c.place()
	if err != nil {
		return nil, err
	}
	cluster, err := f.clients.Get(ctx, pluginsdk.Key(place.Fingerprint()), func(context.Context) (*kube.Cluster, error) { return kube.Open(place) })
	if err != nil {
		return nil, kube.Ask(err)
	}
	return cluster, nil
}

// hub watches the cluster's namespace, for all runs of this process.
func (f *Flavor) hub(c *kube.Cluster) *observe.Hub {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hubs[c]
	if h == nil {
		h = observe.New(c, labelManaged+"="+managedBy, labelKey)
		f.hubs[c] = h
	}
	return h
}

// release drops what belongs to a client that nobody asked for in a while. A
// watch that is still open keeps what it has.
func (f *Flavor) release(c *kube.Cluster) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.hubs[c]; h != nil && !h.Idle() {
		return
	}
	delete(f.hubs, c)
	c.Close()
}

// Close ends the watches, for tests.
func (f *Flavor) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, h := range f.hubs {
		h.Close()
		c.Close()
	}
}

var (
	_ pluginsdk.Remote[Config]      = (*Flavor)(nil)
	_ pluginsdk.Finder[Config]      = (*Flavor)(nil)
	_ pluginsdk.Watcher[Config]     = (*Flavor)(nil)
	_ pluginsdk.LogReader[Config]   = (*Flavor)(nil)
	_ pluginsdk.Planner[Config]     = (*Flavor)(nil)
	_ pluginsdk.Scoper[Config]      = (*Flavor)(nil)
	_ pluginsdk.Validator[Config]   = (*Flavor)(nil)
	_ pluginsdk.Preflighter[Config] = (*Flavor)(nil)
	_ pluginsdk.Cleaner[Config]     = (*Flavor)(nil)
)
