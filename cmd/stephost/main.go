// Command stephost runs one step of a machine-learning pipeline somewhere
// better suited than the place where the pipeline runs.
package main

import (
	"os"

	"github.com/stephost/stephost/cmd/stephost/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
