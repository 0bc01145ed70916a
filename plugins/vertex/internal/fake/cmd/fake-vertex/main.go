// Command fake-vertex is the fake of package fake as a process of its own.
package main

import (
	"context"
	"flag"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

func main() {
	shim := flag.String("shim", "", "program that stands for the init process of built images")
	cloudfake.Main(func(ctx context.Context, dir string) (*cloudfake.Service, error) { return fake.Open(*shim)(ctx, dir) })
}
