// Command goflavor is the twin of examples/python-flavor in Go, as small as a
// flavor can be, so that the two SDKs can be compared.
package main

import (
	"context"
	_ "embed"
	"os/exec"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

type flavor struct{}

func (flavor) Launch(ctx context.Context, s *pluginsdk.Step) error {
	cmd := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	return cmd.Run()
}

func main() { pluginsdk.Main(manifest, pluginsdk.Launch(flavor{})) }
