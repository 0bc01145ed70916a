//go:build !front

package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/stephost/stephost/host/process"
)

// shownPanics bounds how many are shown: a mistake in a call that is repeated is
// one mistake.
const shownPanics = 3

// panics collects what plugins have said about mistakes in their code, to be
// shown after everything else: it is what an author needs, and a person who
// launches a step wants to read the outcome first.
type panics struct {
	mu   sync.Mutex
	seen []process.Panic
	more int
}

func (p *panics) add(x process.Panic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case slices.ContainsFunc(p.seen, func(y process.Panic) bool { return y.Flavor == x.Flavor && headOf(y.Text) == headOf(x.Text) }):
	case len(p.seen) == shownPanics:
		p.more++
	default:
		p.seen = append(p.seen, x)
	}
}

func (p *panics) write(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.seen {
		fmt.Fprintf(w, "\n%s The plugin of flavor %s (version %s) has a mistake in its code. For its author:\n\n%s\n",
			paint(w, red, "Panic:"), x.Flavor, x.Version, indent(harmless(strings.TrimPrefix(x.Text, "stephost: "))))
	}
	if p.more > 0 {
		fmt.Fprintf(w, "\nAnd %d more.\n", p.more)
	}
}

// headOf is the first line: stacks of one mistake differ in their addresses.
func headOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
