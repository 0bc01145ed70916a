package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/test/kube"
)

// TestNodeLost: a node that is not heard from and is taken out of the cluster is
// no failure of the step, and what its log may have had is marked. The cluster is
// its own.
func TestNodeLost(t *testing.T) {
	cluster(t)
	t.Parallel()
	l := newLabOn(t, kube.Node(t))
	p := l.start("--", "sh", "-c", "echo started; sleep 600")
	p.sees("started\n")
	l.c.Freeze(t, kube.Kubelet)
	l.kubectl("delete", "node", l.c.NodeName, "--wait=false")
	e := p.wait() // the control plane gives up pods without a node after a minute
	assert.Equal(t, "system", e.Class, e.Message)
	assert.Equal(t, "NodeLost", e.Reason, e.Message)
	assert.Equal(t, 75, e.code)
	assert.Equal(t, "started\n", e.stdout)
	assert.Contains(t, e.stderr, "gap (possible)")
}
