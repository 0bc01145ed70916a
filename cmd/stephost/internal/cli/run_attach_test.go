//go:build !front

package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who takes a run over is told from whom.
func TestAttachSaysWhomItReplaces(t *testing.T) {
	w := newWorld(t)
	l := w.logged()
	owner := l.claim.Run().Owner
	r := w.run("run", "attach", "--take-over", l.id())
	assert.Contains(t, r.err, "Run "+l.id()+" is taken over from process ")
	assert.Contains(t, r.err, " on "+owner.Host+": this process drives it now, and Ctrl-C cancels it.")
	assert.NotContains(t, r.err, "Nobody else drives")

	w = newWorld(t)
	l = w.logged()
	require.NoError(t, l.claim.Release(t.Context()))
	assert.Contains(t, w.run("run", "attach", "--take-over", l.id()).err, "Nobody else drives run "+l.id())
}
