package main

import (
	"context"
	_ "embed"
	"sync"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/plugins/kubernetes/internal/observe"
	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(newFlavor())) }

// flavor is the flavor. What it holds only saves work: clients and watches.
type flavor struct {
	clients pluginsdk.Cache[*kube.Cluster]

	mu   sync.Mutex
	hubs map[*kube.Cluster]*observe.Hub
}

func newFlavor() *flavor {
	f := &flavor{hubs: map[*kube.Cluster]*observe.Hub{}}
	f.clients.Release = f.release
	return f
}

// cluster is the namespace that the config means.
func (f *flavor) cluster(ctx context.Context, c Config) (*kube.Cluster, error) {
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
func (f *flavor) hub(c *kube.Cluster) *observe.Hub {
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
func (f *flavor) release(c *kube.Cluster) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.hubs[c]; h != nil && !h.Idle() {
		return
	}
	delete(f.hubs, c)
	c.Close()
}

// close ends the watches, for tests.
func (f *flavor) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, h := range f.hubs {
		h.Close()
		c.Close()
	}
}

var (
	_ pluginsdk.Remote[Config]      = (*flavor)(nil)
	_ pluginsdk.Finder[Config]      = (*flavor)(nil)
	_ pluginsdk.Watcher[Config]     = (*flavor)(nil)
	_ pluginsdk.LogReader[Config]   = (*flavor)(nil)
	_ pluginsdk.Planner[Config]     = (*flavor)(nil)
	_ pluginsdk.Scoper[Config]      = (*flavor)(nil)
	_ pluginsdk.Validator[Config]   = (*flavor)(nil)
	_ pluginsdk.Preflighter[Config] = (*flavor)(nil)
	_ pluginsdk.Cleaner[Config]     = (*flavor)(nil)
)
