package pluginsdk

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long a test waits for what must happen.
const hang = 30 * time.Second

const testKey = "abcdefghijklmnopqrstuvwxyz"

// testManifest is a manifest with these capabilities and config attributes.
func testManifest(capabilities []string, config ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "flavor \"bench\" {\n  version = \"1.2.3\"\n  protocol = [1]\n  capabilities = [")
	for _, c := range capabilities {
		fmt.Fprintf(&b, "%q, ", c)
	}
	b.WriteString("]\n  submission {\n    idempotency = \"key\"\n  }\n")
	for _, c := range config {
		fmt.Fprintf(&b, "  config %q {\n    type = string\n  }\n", c)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

// serveTest serves impl over real gRPC and returns a client of it.
func serveTest(t testing.TB, manifest []byte, impl Implementation) operatorv1.StepOperatorClient {
	t.Helper()
	s, err := NewServer(manifest, impl)
	require.NoError(t, err)
	s.start(context.Background(), hclog.NewNullLogger())
	const size = 1 << 20
	l := bufconn.Listen(size)
	g := grpc.NewServer()
	s.Register(g)
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///bench", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		g.Stop()
		s.Close()
		require.NoError(t, <-done)
	})
	return operatorv1.NewStepOperatorClient(conn)
}

// testContext ends with the test, and in any case after hang.
func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	return ctx
}

func testTarget(scope string) *operatorv1.Target {
	t := &operatorv1.Target{Operator: "op", Config: &operatorv1.Values{Json: []byte(`{"url":"http://hive"}`)}}
	if scope != "" {
		t.Scope = &operatorv1.Scope{Id: scope, Display: scope}
	}
	return t
}

func testStep() *operatorv1.Step {
	return &operatorv1.Step{
		RunId: "run-1", RunToken: "token-1", Attempt: 1, Key: testKey, Name: "train", Argv: []string{"true"},
		Settings: &operatorv1.Values{Json: []byte(`{}`)},
	}
}

type watchStream = grpc.ServerStreamingClient[operatorv1.WatchResponse]

func openWatch(t testing.TB, c operatorv1.StepOperatorClient, scope string, beat time.Duration) watchStream {
	t.Helper()
	stream, err := c.Watch(testContext(t), &operatorv1.WatchRequest{
		Target: testTarget(scope), Key: testKey, Handle: &operatorv1.Handle{Version: 1, Data: []byte("h")},
		HeartbeatInterval: durationpb.New(beat),
	})
	require.NoError(t, err)
	return stream
}

// benchConfig is the config of the scripted flavors.
type benchConfig struct {
	URL string `stephost:"url"`
}

// bench is a Remote whose answers a test chooses.
type bench struct {
	onSubmit func(ctx context.Context, c benchConfig, s *Step) (Handle, error)
	onStatus func(ctx context.Context, h Handle) (Status, error)
	onCancel func(ctx context.Context, h Handle, o CancelOptions) error
}

func (b *bench) Submit(ctx context.Context, c benchConfig, s *Step) (Handle, error) {
	return b.onSubmit(ctx, c, s)
}

func (b *bench) Status(ctx context.Context, _ benchConfig, h Handle) (Status, error) {
	return b.onStatus(ctx, h)
}

func (b *bench) Cancel(ctx context.Context, _ benchConfig, h Handle, o CancelOptions) error {
	return b.onCancel(ctx, h, o)
}

// scoped adds a live scope that a test changes.
type scoped struct {
	bench
	onScope func(ctx context.Context) (Scope, error)
}

func (b *scoped) Scope(ctx context.Context, _ benchConfig) (Scope, error) { return b.onScope(ctx) }

func benchManifest(capabilities ...string) []byte { return testManifest(capabilities, "url") }
