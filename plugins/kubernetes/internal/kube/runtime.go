package kube

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// runtimeBound bounds the question for a node's runtime: a log's end waits for
	// the answer, and can do without it.
	runtimeBound = 5 * time.Second
	// runtimeKept is how long an answer counts: nodes are updated, but not often.
	runtimeKept = 10 * time.Minute
)

// runtimes are the container runtimes of nodes, as far as they were asked for.
type runtimes struct {
	// Held while asking: 200 logs that end at once ask once for their node.
	mu    sync.Mutex
	known map[string]nodeRuntime
}

type nodeRuntime struct {
	version string
	at      time.Time
}

// Runtime is a node's container runtime and its version ("containerd://2.1.4"),
// "" when it cannot be told: who may run Jobs in a namespace need not see nodes.
func (c *Cluster) Runtime(ctx context.Context, node string) string {
	c.runtimes.mu.Lock()
	defer c.runtimes.mu.Unlock()
	if r, ok := c.runtimes.known[node]; ok && time.Since(r.at) < runtimeKept {
		return r.version
	}
	ctx, cancel := context.WithTimeout(ctx, runtimeBound)
	defer cancel()
	n := &corev1.Node{}
	err := c.core.Get().Resource("nodes").Name(node).Do(ctx).Into(n)
	if err != nil && !apierrors.IsForbidden(err) {
		return "" // it may be told the next time
	}
	if c.runtimes.known == nil {
		c.runtimes.known = map[string]nodeRuntime{}
	}
	c.runtimes.known[node] = nodeRuntime{version: n.Status.NodeInfo.ContainerRuntimeVersion, at: time.Now()}
	return n.Status.NodeInfo.ContainerRuntimeVersion
}

// DropsTails tells whether a runtime may lose the end of a log. containerd before
// 1.6.22 and 1.7.3 closes its end of a container's output when the process has
// ended, before it has read what is still in there: up to 64 KiB of each stream,
// where it was not fast enough (https://github.com/containerd/containerd/pull/8643;
// `task.Delete`). The line in which that happens is stored as if it ended there.
func DropsTails(version string) bool {
	text, ok := strings.CutPrefix(version, "containerd://")
	if !ok {
		return false
	}
	part := strings.FieldsFunc(strings.TrimPrefix(text, "v"), func(r rune) bool { return r < '0' || r > '9' })
	number := func(i int) int {
		if i >= len(part) {
			return 0
		}
		n, _ := strconv.Atoi(part[i])
		return n
	}
	major, minor, patch := number(0), number(1), number(2)
	switch {
	case major != 1:
		return major == 0 && len(part) > 0
	case minor == 6:
		return patch < 22
	case minor == 7:
		return patch < 3
	}
	return minor < 6
}
