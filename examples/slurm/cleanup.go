package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stephost/stephost/pluginsdk"
)

// Cleanup removes what an ended job left in shared_dir: its work directory
// (Leftovers), or all of it (Record). Slurm forgets its own part by itself.
func (s slurm) Cleanup(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	r, _, err := readHandle(c, h)
	if err != nil {
		return err
	}
	if !r.has("meta.json") {
		return os.RemoveAll(r.dir) // removed before, or half way
	}
	status, err := s.Status(ctx, c, h)
	if err != nil {
		return err
	}
	if !status.Phase.Terminal() {
		return fmt.Errorf("the job is not over: %s", status.NativeState)
	}
	if what == pluginsdk.Leftovers {
		return os.RemoveAll(r.file("work"))
	}
	return os.RemoveAll(r.dir)
}
