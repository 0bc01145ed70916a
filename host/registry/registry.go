package registry

import (
	"sync"

	"os"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/home"
)

// protocolMajor is the only major of the contract that this host speaks.
const protocolMajor = 1

// Options say what lies outside the home.
type Options struct {
	// Shipped is the directory beside the stephost binary in which
	// stephost-flavor-* files are usable without registration; "" = none.
	Shipped string
	// Host is the stephost binary: when a shipped flavor changed together with
	// it, that was an update and the flavor is pinned anew. "" = the running
	// program.
	Host string
	// Sources gets the manifests and operators that are read, for snippets;
	// nil = the registry's own.
	Sources *diag.Sources
	// Protocols are the contract's majors that the host speaks; nil = {1}.
	Protocols []int
	// MinSDK is the oldest SDK that the host accepts; "" = MinSDK.
	MinSDK string
}

// Registry reads and writes what is registered in one home. It holds no state
// but its options, opens nothing until it is asked, and is safe for concurrent
// use, also by several processes on one home.
type Registry struct {
	home    home.Home
	options Options
	sources *diag.Sources

	// parsed holds manifests by file and digest: one command asks for the same
	// flavor several times.
	parsed sync.Map
}

// New makes a registry. Nothing is opened or created.
func New(h home.Home, o Options) *Registry {
	if o.Sources == nil {
		o.Sources = new(diag.Sources)
	}
	if o.Protocols == nil {
		o.Protocols = []int{protocolMajor}
	}
	if o.MinSDK == "" {
		o.MinSDK = MinSDK
	}
	return &Registry{home: h, options: o, sources: o.Sources}
}

// hostStat is the tuple of the stephost binary; zero when it cannot be told.
func (r *Registry) hostStat() StatTuple {
	path := r.options.Host
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return StatTuple{}
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return StatTuple{}
	}
	return statOf(info)
}
