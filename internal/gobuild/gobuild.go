// Package gobuild builds programs of this repository for tests in the way in which
// `make build` builds them: without cgo, without what only debuggers read, and without
// gRPC's traces. A package that is compiled in one way only is found in Go's cache by all
// test packages; in two ways, the SDKs of the clouds take minutes more.
package gobuild

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// always is the tag of everything that is shipped; the Makefile has it, too.
const always = "grpcnotrace"

// Program is what is built.
type Program struct {
	// Dir is the directory in which the go tool runs; "" = the present one.
	Dir string
	// Pkg is the package; "" = that of Dir.
	Pkg string
	// Out is the file, or a directory that exists.
	Out string
	// Tags are build tags besides the usual one.
	Tags []string
	// Race adds the race detector, and cgo with it.
	Race bool
	// LD are flags of the linker besides the usual ones.
	LD string
	// Env are variables besides those of this process.
	Env []string
	// Flags are other flags of `go build`.
	Flags []string
}

// Build builds p; a failure has the compiler's words.
func Build(ctx context.Context, p Program) error {
	args := []string{"build", "-trimpath", "-tags=" + strings.Join(append([]string{always}, p.Tags...), ","),
		"-ldflags=" + strings.TrimSpace("-s -w "+p.LD), "-o", p.Out}
	cgo := "CGO_ENABLED=0"
	if p.Race {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	pkg := p.Pkg
	if pkg == "" {
		pkg = "."
	}
	cmd := exec.CommandContext(ctx, "go", append(append(args, p.Flags...), pkg)...)
	cmd.Dir, cmd.Env = p.Dir, append(append(os.Environ(), cgo), p.Env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
	}
	return nil
}
