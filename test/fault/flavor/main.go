// Command flavor is the fault flavor: a remote flavor whose backend misbehaves
// on request. It is for tests and never shipped. One program makes three
// flavors; the linker sets which one (-X main.variant=key).
package main

import (
	"fmt"
	"os"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/test/fault/manifests"
)

// Set by the linker: variant is "key", "search" or "none".
var (
	variant = "key"
	version = manifests.Version
)

func main() {
	manifest, err := manifests.ForVersion(variant, version)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pluginsdk.Main(manifest, implementation(variant))
}

// implementation picks the type whose optional interfaces fit the variant.
func implementation(variant string) pluginsdk.Implementation {
	b := base{clients: &clients{}, named: variant == manifests.Key}
	switch variant {
	case manifests.Search:
		return pluginsdk.RemoteOf[Config](searchable{base: b})
	case manifests.None:
		return pluginsdk.RemoteOf[Config](b)
	}
	return pluginsdk.RemoteOf[Config](keyed{searchable: searchable{base: b}})
}
