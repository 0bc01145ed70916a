package project

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// maxLocal bounds a local's value (diag.Weight). A local may use another one
// twice, so a dozen lines could otherwise make a value larger than the memory.
const maxLocal = 8 << 20

// decodeLocals reads a locals block.
func (l *loader) decodeLocals(b *hcl.Block, in unit) {
	attrs, diags := b.Body.JustAttributes()
	l.add(diags)
	for _, name := range sortedKeys(attrs) {
		a := attrs[name]
		if first := l.names.locals[name]; first != nil {
			l.twice(a.NameRange, "local", name, first.NameRange)
			continue
		}
		l.names.locals[name] = attributeValue(a, "local."+name, in)
	}
}

// refuseCycles reports each cycle of locals once and takes its members out, so
// that every later evaluation ends.
func (l *loader) refuseCycles() {
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	var chain []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		chain = append(chain, name)
		for _, t := range l.names.locals[name].expr.Variables() {
			if t.RootName() != "local" {
				continue
			}
			next := []string{}
			if n, _, ok := secondStep(t); ok {
				next = append(next, n)
			} else {
				next = sortedKeys(l.names.locals)
			}
			for _, n := range next {
				switch {
				case l.names.locals[n] == nil: // reported where it is used
				case state[n] == 0:
					visit(n)
				case state[n] == open:
					l.cycle(chain, n, t.SourceRange())
				}
			}
		}
		chain = chain[:len(chain)-1]
		state[name] = done
	}
	for _, name := range sortedKeys(l.names.locals) {
		if state[name] == 0 {
			visit(name)
		}
	}
	for _, name := range l.broken {
		v := l.names.locals[name]
		v.expr, v.fixed = nil, cty.DynamicVal
	}
}

// cycle reports the end of chain that begins with again.
func (l *loader) cycle(chain []string, again string, r hcl.Range) {
	from := len(chain) - 1
	for from > 0 && chain[from] != again {
		from--
	}
	ring := chain[from:]
	l.broken = append(l.broken, ring...)
	const most = 20
	words := make([]string, 0, len(ring)+1)
	for _, n := range ring {
		words = append(words, "local."+n)
	}
	if len(words) > most {
		words = append(words[:most:most], fmt.Sprintf("(%d more)", len(words)-most))
	}
	words = append(words, "local."+again)
	l.fail(r, "Locals in a circle", "A local cannot depend on itself: "+strings.Join(words, " -> ")+".")
}
