package catalog

import (
	"context"
	"sync"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

// Options of a Catalog. The zero value of everything but Home works.
type Options struct {
	Home home.Home
	// Shipped is the directory of the flavors that came with stephost.
	Shipped string
	// Resolver resolves references to environment variables, files and secrets;
	// nil = those of this process.
	Resolver schema.Resolver
	// Once is for a catalog that answers one command: a flavor that was found is not
	// looked for again. Looking takes half a millisecond, and `validate` does it for
	// every operator and step.
	Once bool
}

// Catalog reads what is asked for. Safe for concurrent use.
type Catalog struct {
	o        Options
	sources  *diag.Sources
	registry *registry.Registry
	found    sync.Map // ref -> *registry.Flavor, with Once
}

// New makes a Catalog. Nothing is opened.
func New(o Options) *Catalog {
	sources := &diag.Sources{}
	return &Catalog{o: o, sources: sources, registry: registry.New(o.Home, registry.Options{Shipped: o.Shipped, Sources: sources})}
}

// Home is where stephost keeps its files.
func (c *Catalog) Home() home.Home { return c.o.Home }

// Sources holds the text of everything that was read, for diagnostics.
func (c *Catalog) Sources() *diag.Sources { return c.sources }

// Registry is the room of flavors and operators.
func (c *Catalog) Registry() *registry.Registry { return c.registry }

// Flavor finds a flavor by NAME or NAME@VERSION. The error is the registry's.
func (c *Catalog) Flavor(ctx context.Context, ref string) (*registry.Flavor, error) {
	if f, ok := c.found.Load(ref); ok {
		return f.(*registry.Flavor), nil
	}
	f, err := c.registry.Flavor(ctx, ref)
	if err == nil && c.o.Once {
		c.found.Store(ref, f)
		c.found.Store(f.Ref(), f)
	}
	return f, err
}

// Resolver resolves references while ctx lasts.
func (c *Catalog) Resolver(ctx context.Context) schema.Resolver {
	if c.o.Resolver != nil {
		return c.o.Resolver
	}
	return schema.OSResolver(ctx)
}
