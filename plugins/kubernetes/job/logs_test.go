package job

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	testkube "github.com/stephost/stephost/test/kube"
)

// logNode is a node whose kubelet is this test: the API server asks it for logs.
// It serves the lines of a pod as a kubelet does, and breaks streams.
type logNode struct {
	name string
	h    *harness

	mu      sync.Mutex
	changed chan struct{}
	pods    map[string]*logFile
	asked   int
	broken  func(asked int) int // lines after which a stream breaks; < 0 = never
}

type logFile struct {
	lines []logLine
	over  bool
}

type logLine struct {
	at   time.Time
	text string
}

func newLogNode(h *harness, name string) *logNode {
	h.t.Helper()
	n := &logNode{name: name, h: h, changed: make(chan struct{}), pods: map[string]*logFile{}, broken: func(int) int { return -1 }}
	server := httptest.NewTLSServer(n)
	h.t.Cleanup(server.Close)
	port := server.Listener.Addr().String()[strings.LastIndex(server.Listener.Addr().String(), ":")+1:]
	cmd := h.up.Kubectl(h.ctx(), "create", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q},"spec":{"unschedulable":true}}`, name))
	out, err := cmd.CombinedOutput()
	require.NoError(h.t, err, "%s", out)
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		_ = h.up.Kubectl(ctx, "delete", "node", name).Run()
	})
	h.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p",
		`{"status":{"addresses":[{"type":"InternalIP","address":"127.0.0.1"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":`+port+`}}}}`)
	return n
}

func (n *logNode) file(pod string) *logFile {
	if n.pods[pod] == nil {
		n.pods[pod] = &logFile{}
	}
	return n.pods[pod]
}

func (n *logNode) write(pod *corev1.Pod, texts ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.file(pod.Name)
	for _, text := range texts {
		f.lines = append(f.lines, logLine{at: time.Now(), text: text})
	}
	n.wake()
}

func (n *logNode) end(pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.file(pod.Name).over = true
	n.wake()
}

// rotate takes away all but the last lines.
func (n *logNode) rotate(pod *corev1.Pod, keep int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.file(pod.Name)
	f.lines = f.lines[len(f.lines)-keep:]
}

func (n *logNode) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *logNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // /containerLogs/NAMESPACE/POD/CONTAINER
	if len(parts) != 5 || parts[1] != "containerLogs" || parts[4] != containerName {
		http.NotFound(w, r)
		return
	}
	q := r.URL.Query()
	var since time.Time
	if s := q.Get("sinceTime"); s != "" {
		since, _ = time.Parse(time.RFC3339, s)
	}
	n.mu.Lock()
	n.asked++
	left := n.broken(n.asked)
	n.mu.Unlock()
	flush := w.(http.Flusher)
	for next := 0; ; next++ {
		n.mu.Lock()
		f := n.file(parts[3])
		for next >= len(f.lines) && !f.over && q.Get("follow") == "true" {
			changed := n.changed
			n.mu.Unlock()
			flush.Flush()
			select {
			case <-changed:
			case <-r.Context().Done():
				return
			}
			n.mu.Lock()
		}
		if next >= len(f.lines) {
			n.mu.Unlock()
			return
		}
		line := f.lines[next]
		n.mu.Unlock()
		if line.at.Before(since) {
			continue
		}
		if left == 0 {
			flush.Flush()
			panic(http.ErrAbortHandler)
		}
		left--
		_, _ = io.WriteString(w, line.at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")+" "+line.text)
	}
}

// onNode brings the pods of a step to the node and starts them.
func (n *logNode) onNode(key string, count int) []*corev1.Pod {
	n.h.t.Helper()
	pods := n.h.pods(key, count)
	for _, pod := range pods {
		n.h.bind(pod, n.name)
		n.h.running(pod)
	}
	return pods
}

// following reads Logs in the background.
func (h *harness) following(key string, handle *operatorv1.Handle, cursors map[string]string) (<-chan *operatorv1.LogsResponse, context.CancelFunc) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.ctx())
	stream, err := h.client.Logs(ctx, &operatorv1.LogsRequest{Target: h.target, Handle: handle, Key: key, Follow: true, Cursors: cursors})
	require.NoError(h.t, err)
	out := make(chan *operatorv1.LogsResponse, 10_000)
	go func() {
		defer close(out)
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			out <- m
		}
	}()
	return out, cancel
}

func TestLogsOfEveryRank(t *testing.T) {
	h := newHarness(t)
	n := newLogNode(h, "logs-ranks")
	s := h.step("ranks")
	s.Resources = &operatorv1.Resources{Nodes: 2}
	handle := h.accepted(s)
	pods := n.onNode(s.Key, 2)
	for i, pod := range pods {
		n.write(pod, fmt.Sprintf("rank %d\n", i), "no newline")
		n.end(pod)
		h.exited(pod, 0, "Completed")
	}
	for _, follow := range []bool{true, false} {
		got := h.logs(s.Key, handle, follow, nil)
		assert.Equal(t, "rank 0\nno newline", got.text("1/0/0//stdout"))
		assert.Equal(t, "rank 1\nno newline", got.text("1/0/1//stdout"))
		assert.Empty(t, got.gaps)
		assert.Len(t, got.ends, 2)
		rest := h.logs(s.Key, handle, follow, got.cursors)
		assert.Empty(t, rest.bytes)
		assert.Empty(t, rest.gaps)
	}
}

// Streams that break, an API server that dies, a host that goes on from its
// cursors: every line once.
func TestLogsSurviveBreaks(t *testing.T) {
	cluster(t)
	up := testkube.ControlPlane(t)
	h := newHarnessOn(t, up)
	n := newLogNode(h, "logs-breaks")
	n.broken = func(asked int) int { return 5 + asked*7 }
	s := h.step("breaks")
	handle := h.accepted(s)
	pod := n.onNode(s.Key, 1)[0]
	var want strings.Builder
	say := func(count int) {
		var lines []string
		for range count {
			lines = append(lines, fmt.Sprintf("line %d\n", strings.Count(want.String(), "\n")))
			want.WriteString(lines[len(lines)-1])
		}
		n.write(pod, lines...)
	}
	var got logged
	got.bytes, got.cursors = map[string]*bytesBuffer{}, map[string]string{}
	const source = "1/0/0//stdout"
	say(100)
	out, cancel := h.following(s.Key, handle, nil)
	until := func() {
		h.t.Helper()
		for got.text(source) != want.String() {
			m, ok := <-out
			require.True(t, ok, "the stream ended: %q", got.text(source))
			got.take(m)
		}
	}
	until()
	up.Kill(t, testkube.APIServer)
	say(50)
	up.Restart(t, testkube.APIServer)
	until()
	cancel()
	for m := range out {
		got.take(m)
	}
	say(50)
	out, cancel = h.following(s.Key, handle, got.cursors)
	defer cancel()
	until()
	say(20)
	n.end(pod)
	h.exited(pod, 0, "Completed")
	for m := range out {
		got.take(m)
	}
	assert.Equal(t, want.String(), got.text(source))
	assert.Empty(t, got.gaps)
	assert.Equal(t, []string{source}, got.ends)
}

func TestARotatedLogIsMarked(t *testing.T) {
	h := newHarness(t)
	n := newLogNode(h, "logs-rotated")
	s := h.step("rotated")
	handle := h.accepted(s)
	pod := n.onNode(s.Key, 1)[0]
	n.write(pod, "one\n", "two\n")
	first := h.logs(s.Key, handle, false, nil)
	assert.Equal(t, "one\ntwo\n", first.text("1/0/0//stdout"))
	n.write(pod, "lost\n", "kept\n")
	n.rotate(pod, 1)
	n.end(pod)
	h.exited(pod, 0, "Completed")
	rest := h.logs(s.Key, handle, true, first.cursors)
	assert.Equal(t, "kept\n", rest.text("1/0/0//stdout"))
	require.Len(t, rest.gaps, 1)
	assert.Equal(t, operatorv1.LogGap_CERTAINTY_POSSIBLE, rest.gaps[0].Certainty)
}

func TestTheLogOfAPodThatIsGone(t *testing.T) {
	h := newHarness(t)
	n := newLogNode(h, "logs-gone")
	s := h.step("gone")
	handle := h.accepted(s)
	pod := n.onNode(s.Key, 1)[0]
	n.write(pod, "one\n")
	first := h.logs(s.Key, handle, false, nil)
	n.end(pod)
	h.exited(pod, 1, "Error")
	h.wait("the Job controller", func() bool { return condition(h.job(s.Key), "Failed") != nil })
	require.NoError(t, h.api.DeletePod(h.ctx(), pod.Name, pod.UID, 0))
	h.pods(s.Key, 0)
	for name, cursors := range map[string]map[string]string{"read before": first.cursors, "never read": nil} {
		t.Run(name, func(t *testing.T) {
			rest := h.logs(s.Key, handle, true, cursors)
			assert.Empty(t, rest.bytes)
			require.Len(t, rest.gaps, 1, "never silently short")
			assert.Equal(t, []string{"1/0/0//stdout"}, rest.ends)
		})
	}
}

// A step that is cancelled says its last words.
func TestTheLogOfACancelledStep(t *testing.T) {
	h := newHarness(t)
	n := newLogNode(h, "logs-cancel")
	s := h.step("cancelled")
	handle := h.accepted(s)
	pod := n.onNode(s.Key, 1)[0]
	n.write(pod, "working\n")
	out, stop := h.following(s.Key, handle, nil)
	defer stop()
	var got logged
	got.bytes, got.cursors = map[string]*bytesBuffer{}, map[string]string{}
	for got.text("1/0/0//stdout") == "" {
		got.take(<-out)
	}
	require.NotNil(t, h.cancel(s.Key, handle).GetAccepted())
	h.wait("the pod's deletion", func() bool { return h.pods(s.Key, 1)[0].DeletionTimestamp != nil })
	n.write(pod, "saved\n")
	n.end(pod)
	h.endDeleted(s.Key)
	for m := range out {
		got.take(m)
	}
	assert.Equal(t, "working\nsaved\n", got.text("1/0/0//stdout"))
	assert.Empty(t, got.gaps)
	assert.Len(t, got.ends, 1)
}

// A stream that stays open behind the end of its container is cut, and what is
// there is read.
func TestAStreamThatDoesNotEnd(t *testing.T) {
	h := newHarness(t)
	n := newLogNode(h, "logs-open")
	s := h.step("open")
	handle := h.accepted(s)
	pod := n.onNode(s.Key, 1)[0]
	n.write(pod, "one\n")
	out, stop := h.following(s.Key, handle, nil)
	defer stop()
	var got logged
	got.bytes, got.cursors = map[string]*bytesBuffer{}, map[string]string{}
	for got.text("1/0/0//stdout") != "one\n" {
		got.take(<-out)
	}
	n.write(pod, "two")
	h.exited(pod, 0, "Completed")
	for m := range out {
		got.take(m)
	}
	assert.Equal(t, "one\ntwo", got.text("1/0/0//stdout"))
	assert.Empty(t, got.gaps)
	assert.Len(t, got.ends, 1)
}

// The log of one rank is not held up by the node of another one.
func TestOneNodeDoesNotAnswer(t *testing.T) {
	h := newHarness(t)
	good, bad := newLogNode(h, "logs-good"), newLogNode(h, "logs-bad")
	h.kubectl("patch", "node", bad.name, "--subresource=status", "--type=merge", "-p", `{"status":{"daemonEndpoints":{"kubeletEndpoint":{"Port":1}}}}`)
	s := h.step("one-node")
	s.Resources = &operatorv1.Resources{Nodes: 2}
	handle := h.accepted(s)
	pods := h.pods(s.Key, 2)
	for i, n := range []*logNode{good, bad} {
		h.bind(pods[i], n.name)
		h.running(pods[i])
	}
	good.write(pods[0], "one\n")
	out, stop := h.following(s.Key, handle, nil)
	defer stop()
	var got logged
	got.bytes, got.cursors = map[string]*bytesBuffer{}, map[string]string{}
	for got.text("1/0/0//stdout") != "one\n" {
		got.take(<-out)
	}
	good.write(pods[0], "two\n")
	good.end(pods[0])
	for _, pod := range pods {
		h.exited(pod, 0, "Completed")
	}
	for m := range out {
		assert.Nil(t, m.Reachability)
		got.take(m)
	}
	assert.Equal(t, "one\ntwo\n", got.text("1/0/0//stdout"))
	require.Len(t, got.gaps, 1, "what nobody could read is marked")
	assert.ElementsMatch(t, []string{"1/0/0//stdout", "1/0/1//stdout"}, got.ends)
}

// A node whose container runtime may lose the end of a log: nothing proves that it
// has not. One that nobody can ask for is believed, unless the step wrote at full
// speed to its end.
func TestTheEndThatANodeMayHaveLost(t *testing.T) {
	flooded := strings.Repeat(strings.Repeat("x", 1023)+"\n", 40)
	for name, c := range map[string]struct {
		runtime, text string
		gap           string
	}{
		"sound":                 {"containerd://2.1.4", flooded, ""},
		"defective":             {"containerd://1.6.20", "one\n", "(containerd://1.6.20) may lose the last lines"},
		"not known":             {"", "one\n", ""},
		"not known, in a flood": {"", flooded, "without the permission to get nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			n := newLogNode(h, "logs-end-"+strings.NewReplacer(" ", "-", ",", "").Replace(name))
			h.kubectl("patch", "node", n.name, "--subresource=status", "--type=merge", "-p", fmt.Sprintf(`{"status":{"nodeInfo":{"containerRuntimeVersion":%q}}}`, c.runtime))
			s := h.step("end")
			handle := h.accepted(s)
			pod := n.onNode(s.Key, 1)[0]
			n.write(pod, slices.Collect(strings.Lines(c.text))...)
			n.end(pod)
			h.exited(pod, 0, "Completed")
			for _, follow := range []bool{true, false} {
				got := h.logs(s.Key, handle, follow, nil)
				assert.Equal(t, c.text, got.text("1/0/0//stdout"))
				assert.Len(t, got.ends, 1)
				if c.gap == "" {
					assert.Empty(t, got.gaps)
					continue
				}
				require.Len(t, got.gaps, 1)
				assert.Equal(t, operatorv1.LogGap_CERTAINTY_POSSIBLE, got.gaps[0].Certainty)
				assert.Contains(t, got.gaps[0].Reason, c.gap)
			}
		})
	}
}
