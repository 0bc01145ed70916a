package job

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stephost/stephost/plugins/kubernetes/internal/kube"
	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	testkube "github.com/stephost/stephost/test/kube"
)

// testImage is never pulled: there is no kubelet.
const testImage = "registry.example/step@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// harness is the flavor behind its real contract, with a namespace of its own on
// a real API server. What a kubelet would do the test does.
type harness struct {
	t         testing.TB
	up        *testkube.Cluster
	flavor    *Flavor
	client    operatorv1.StepOperatorClient
	target    *operatorv1.Target
	namespace string
	// api asks the same API server for what the flavor has done.
	api *kube.Cluster
}

// manifest is that of the flavor.
func manifest(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "flavor.hcl"))
	require.NoError(t, err)
	return text
}

func newHarness(t testing.TB) *harness { return newHarnessOn(t, cluster(t)) }

func newHarnessOn(t testing.TB, up *testkube.Cluster) *harness {
	t.Helper()
	f := New()
	server, err := pluginsdk.NewServer(manifest(t), pluginsdk.RemoteOf(f))
	require.NoError(t, err)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(16<<20), grpc.MaxSendMsgSize(16<<20))
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///kubernetes",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "ns")
	require.NoError(t, err)
	h := &harness{t: t, up: up, flavor: f, client: operatorv1.NewStepOperatorClient(conn), namespace: "t-" + strings.ToLower(dir[strings.LastIndex(dir, "ns")+2:])}
	require.NoError(t, os.Remove(dir))
	h.kubectl("create", "namespace", h.namespace)
	h.api, err = kube.Open(kube.Place{Kubeconfig: up.Kubeconfig, Namespace: h.namespace, RequestTimeout: hang})
	require.NoError(t, err)
	t.Cleanup(func() {
		conn.Close()
		g.Stop()
		server.Close()
		f.Close()
		h.api.Close()
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		_ = up.Kubectl(ctx, "delete", "namespace", h.namespace, "--wait=false").Run()
	})
	h.target = h.targetOf(nil)
	scope, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.target})
	require.NoError(t, err)
	require.NotEmpty(t, scope.GetScope().GetId(), "%v", scope)
	h.target.Scope = scope.GetScope()
	return h
}

// configOf are the operator's values, defaults filled in.
func (h *harness) configOf(changes map[string]any) map[string]any {
	c := map[string]any{"namespace": h.namespace, "context": nil, "kubeconfig": h.up.Kubeconfig, "in_cluster": false, "job_name_prefix": "stephost",
		"request_timeout": "30s", "gpu_resource": "nvidia.com/gpu", "gpu_type_labels": map[string]any{}}
	maps.Copy(c, changes)
	return c
}

func (h *harness) targetOf(changes map[string]any) *operatorv1.Target {
	about, err := h.client.GetMetadata(h.ctx(), &operatorv1.GetMetadataRequest{})
	require.NoError(h.t, err)
	config, err := json.Marshal(h.configOf(changes))
	require.NoError(h.t, err)
	return &operatorv1.Target{Operator: "k8s", FlavorVersion: about.Version, ManifestDigest: about.ManifestDigest, Config: &operatorv1.Values{Json: config}}
}

// settingsOf are the step's settings, defaults filled in.
func settingsOf(changes map[string]any) *operatorv1.Values {
	s := map[string]any{
		"service_account": nil, "automount_service_account_token": false, "node_selector": map[string]any{}, "tolerations": []any{}, "affinity": nil,
		"pod_labels": map[string]any{}, "pod_annotations": map[string]any{}, "job_labels": map[string]any{}, "job_annotations": map[string]any{},
		"volumes": []any{}, "volume_mounts": []any{}, "image_pull_secrets": []any{}, "image_pull_policy": nil, "env_from": []any{},
		"pod_security": "restricted", "security_context": nil, "container_security_context": nil, "privileged": false, "host_ipc": false,
		"priority_class": nil, "runtime_class": nil, "termination_grace_period_seconds": 30, "ttl_seconds_after_finished": 691200,
		"active_deadline_seconds": nil, "pod_startup_timeout": nil,
		"fail_fast":      []any{"InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError"},
		"pod_spec_patch": nil,
	}
	maps.Copy(s, changes)
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return &operatorv1.Values{Json: text}
}

func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	h.t.Cleanup(cancel)
	return ctx
}

func (h *harness) kubectl(args ...string) string {
	h.t.Helper()
	out, err := h.up.Kubectl(h.ctx(), args...).CombinedOutput()
	require.NoError(h.t, err, "%s", out)
	return string(out)
}

func keyOf(token string, attempt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%d", token, attempt))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

func digest() string { return strings.Repeat("0", 64) }

func (h *harness) step(token string) *operatorv1.Step {
	return stepOf(token)
}

func stepOf(token string) *operatorv1.Step {
	return &operatorv1.Step{
		RunId: "run-" + token, RunToken: token, Attempt: 1, Key: keyOf(token, 1), Name: "train", Pipeline: "digits",
		Argv: []string{"python", "train.py"}, Settings: settingsOf(nil),
		Environment: &operatorv1.Environment{Kind: &operatorv1.Environment_Image_{Image: &operatorv1.Environment_Image{Reference: testImage}}},
	}
}

func (h *harness) submit(s *operatorv1.Step) *operatorv1.SubmitResponse {
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.target, Step: s, RequestDigest: digest()})
	require.NoError(h.t, err)
	return r
}

func (h *harness) accepted(s *operatorv1.Step) *operatorv1.Handle {
	h.t.Helper()
	r := h.submit(s)
	require.NotNil(h.t, r.GetAccepted(), "%v", r)
	return r.GetAccepted().GetHandle()
}

func (h *harness) find(r *operatorv1.FindRequest) *operatorv1.FindResponse {
	h.t.Helper()
	r.Target = h.target
	got, err := h.client.Find(h.ctx(), r)
	require.NoError(h.t, err)
	require.Nil(h.t, got.CouldNotAsk, "%v", got)
	return got
}

func (h *harness) findKey(key string) *operatorv1.FindResponse {
	return h.find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_Key{Key: key}})
}

func (h *harness) job(key string) *batchv1.Job {
	h.t.Helper()
	job, err := h.api.Job(h.ctx(), jobName("stephost", key))
	require.NoError(h.t, err)
	return job
}

// pods waits until the Job has n pods and returns them by rank.
func (h *harness) pods(key string, n int) []*corev1.Pod {
	h.t.Helper()
	var pods []*corev1.Pod
	h.wait(fmt.Sprintf("%d pods", n), func() bool {
		list, err := h.api.Pods(h.ctx(), metav1.ListOptions{LabelSelector: labelKey + "=" + key})
		require.NoError(h.t, err)
		pods = nil
		for i := range list.Items {
			pods = append(pods, &list.Items[i])
		}
		return len(pods) == n
	})
	return byStart(pods)
}

// wait waits for a condition.
func (h *harness) wait(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(hang); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			require.FailNow(h.t, "waited too long for "+what)
		}
	}
}

// bind puts a pod on a node, as the scheduler does.
func (h *harness) bind(pod *corev1.Pod, node string) {
	h.t.Helper()
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Binding","metadata":{"name":%q},"target":{"apiVersion":"v1","kind":"Node","name":%q}}`, pod.Name, node)
	cmd := h.up.Kubectl(h.ctx(), "create", "--raw", "/api/v1/namespaces/"+h.namespace+"/pods/"+pod.Name+"/binding", "-f", "-")
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.CombinedOutput()
	require.NoError(h.t, err, "%s", out)
}

// status patches a pod's status, as a kubelet does.
func (h *harness) status(pod *corev1.Pod, status map[string]any) {
	h.t.Helper()
	patch, err := json.Marshal(map[string]any{"status": status})
	require.NoError(h.t, err)
	h.kubectl("patch", "pod", pod.Name, "-n", h.namespace, "--subresource=status", "--type=merge", "-p", string(patch))
}

// containerIs makes a container status of the step.
func containerIs(state map[string]any) []any {
	return []any{map[string]any{"name": containerName, "image": testImage, "imageID": "", "ready": false, "restartCount": 0, "containerID": "test://1", "state": state}}
}

func (h *harness) running(pod *corev1.Pod) {
	h.t.Helper()
	h.status(pod, map[string]any{"phase": "Running", "startTime": now(), "containerStatuses": containerIs(map[string]any{"running": map[string]any{"startedAt": now()}})})
}

func (h *harness) exited(pod *corev1.Pod, code int, reason string) {
	h.t.Helper()
	phase := "Failed"
	if code == 0 {
		phase = "Succeeded"
	}
	h.status(pod, map[string]any{"phase": phase, "containerStatuses": containerIs(map[string]any{"terminated": map[string]any{
		"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now(), "containerID": "test://1"}})})
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// removed waits until a pod is gone, ending what a kubelet would end.
func (h *harness) endDeleted(key string) {
	h.t.Helper()
	h.wait("the pods to go", func() bool {
		list, err := h.api.Pods(h.ctx(), metav1.ListOptions{LabelSelector: labelKey + "=" + key})
		require.NoError(h.t, err)
		for i := range list.Items {
			if p := &list.Items[i]; p.DeletionTimestamp != nil {
				err := h.api.DeletePod(h.ctx(), p.Name, p.UID, 0)
				require.True(h.t, err == nil || apierrors.IsNotFound(err), "%v", err)
			}
		}
		return len(list.Items) == 0
	})
}

// watching is one Watch stream, read in the background.
type watching struct {
	h      *harness
	events chan *operatorv1.WatchResponse
}

func (h *harness) watch(key string, handle *operatorv1.Handle) *watching {
	h.t.Helper()
	stream, err := h.client.Watch(h.ctx(), &operatorv1.WatchRequest{Target: h.target, Handle: handle, Key: key, HeartbeatInterval: durationpb.New(15 * time.Second)})
	require.NoError(h.t, err)
	w := &watching{h: h, events: make(chan *operatorv1.WatchResponse, 1000)}
	go func() {
		defer close(w.events)
		for {
			e, err := stream.Recv()
			if err != nil {
				return
			}
			w.events <- e
		}
	}()
	return w
}

// status waits for a status that is asked for.
func (w *watching) status(what string, is func(*operatorv1.Status) bool) *operatorv1.Status {
	w.h.t.Helper()
	for e := range w.events {
		require.Nil(w.h.t, e.GetTerminal(), "waiting for %s: %v", what, e)
		if s := e.GetStatus(); s != nil && is(s) {
			return s
		}
	}
	require.FailNow(w.h.t, "the stream ended before "+what)
	return nil
}

func (w *watching) phase(p operatorv1.Phase, reason string) *operatorv1.Status {
	w.h.t.Helper()
	return w.status(p.String()+" "+reason, func(s *operatorv1.Status) bool { return s.Phase == p && s.Reason == reason })
}

// end waits for the verdict.
func (w *watching) end() *operatorv1.Terminal {
	w.h.t.Helper()
	for e := range w.events {
		if end := e.GetTerminal(); end != nil {
			return end
		}
	}
	require.FailNow(w.h.t, "the stream ended without a verdict")
	return nil
}

func (h *harness) cancel(key string, handle *operatorv1.Handle) *operatorv1.CancelResponse {
	h.t.Helper()
	r, err := h.client.Cancel(h.ctx(), &operatorv1.CancelRequest{Target: h.target, Handle: handle, Key: key, Grace: durationpb.New(5 * time.Second)})
	require.NoError(h.t, err)
	return r
}

type bytesBuffer = bytes.Buffer

// logged is what Logs sent.
type logged struct {
	bytes   map[string]*bytes.Buffer // by source
	cursors map[string]string
	gaps    []*operatorv1.LogGap
	ends    []string
}

func (h *harness) logs(key string, handle *operatorv1.Handle, follow bool, cursors map[string]string) *logged {
	h.t.Helper()
	stream, err := h.client.Logs(h.ctx(), &operatorv1.LogsRequest{Target: h.target, Handle: handle, Key: key, Follow: follow, Cursors: cursors})
	require.NoError(h.t, err)
	l := &logged{bytes: map[string]*bytes.Buffer{}, cursors: map[string]string{}}
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return l
		}
		require.NoError(h.t, err)
		l.take(m)
	}
}

func (l *logged) take(m *operatorv1.LogsResponse) {
	if m.Gap != nil {
		l.gaps = append(l.gaps, m.Gap)
	}
	for _, e := range m.Entries {
		if l.bytes[m.Source.Name] == nil {
			l.bytes[m.Source.Name] = &bytes.Buffer{}
		}
		l.bytes[m.Source.Name].Write(e.Data)
		l.cursors[m.Source.Name] = e.Cursor
	}
	if m.End {
		l.ends = append(l.ends, m.Source.Name)
	}
}

func (l *logged) text(source string) string {
	if l.bytes[source] == nil {
		return ""
	}
	return l.bytes[source].String()
}
