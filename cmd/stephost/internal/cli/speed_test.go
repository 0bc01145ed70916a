package cli_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/cmd/stephost/internal/cli"
)

// BenchmarkCommands is the work of the commands that must answer at once,
// without the start of the process: at most 5 ms each.
func BenchmarkCommands(b *testing.B) {
	w := newWorld(b)
	w.registerCloud()
	w.write("stephost.hcl", sampleProject)
	for _, args := range [][]string{
		{"version"},
		{"flavor", "list"},
		{"operator", "register", "gpu", "--flavor=cloud", "--role=train"},
		{"validate", "-C", w.dir},
		{"__complete", "flavor", "describe", ""},
	} {
		name := args[0]
		if len(args) > 1 {
			name += "_" + args[1]
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var out, errs bytes.Buffer
				if code := cli.Main(args, bytes.NewReader(nil), &out, &errs); code != 0 {
					b.Fatal(errs.String())
				}
			}
		})
	}
	_, err := os.Stat(w.trace)
	require.ErrorIs(b, err, os.ErrNotExist)
}
