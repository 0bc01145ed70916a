//go:build unix

// Command fake-spark is the fake of package fake as a process of its own.
package main

import (
	"context"
	"flag"

	"github.com/stephost/stephost/plugins/spark/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

func main() {
	path := flag.String("path", "", "PATH of the worker, where its python3 is")
	cloudfake.Main(func(_ context.Context, dir string) (*cloudfake.Service, error) { return fake.Open(dir, *path) })
}
