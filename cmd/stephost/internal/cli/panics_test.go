//go:build !front

package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/process"
)

// A mistake in a call that is repeated is one; many are counted.
func TestPanicsAreTheLastWord(t *testing.T) {
	var p panics
	var b strings.Builder
	p.write(&b)
	assert.Empty(t, b.String())
	for i := range 2 {
		p.add(process.Panic{Flavor: "hive", Version: "0.1.0", Text: fmt.Sprintf("stephost: panic in Submit: nil map\ngoroutine %d [running]:", i)})
	}
	for i := range shownPanics {
		p.add(process.Panic{Flavor: "hive", Version: "0.1.0", Text: fmt.Sprintf("panic: number %d", i)})
	}
	p.write(&b)
	text := b.String()
	assert.Equal(t, 1, strings.Count(text, "nil map"))
	assert.Contains(t, text, "Panic: The plugin of flavor hive (version 0.1.0)")
	assert.Contains(t, text, "  panic in Submit: nil map\n  goroutine 0 [running]:")
	assert.Contains(t, text, "And 1 more.")
}
