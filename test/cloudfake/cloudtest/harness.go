package cloudtest

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// Hang is longer than anything takes, on any machine.
	Hang = time.Minute
	// messageMost is the contract's limit of a message.
	messageMost = 16 << 20
)

// Flavor is what is tested.
type Flavor struct {
	Manifest []byte
	// New makes it; release is called behind the last call.
	New func() (impl pluginsdk.Implementation, release func())
	// Config and Settings return every config attribute and every setting, null or
	// with its default, as the host would send them.
	Config, Settings func() map[string]any
	// Sensitive are the attributes that travel as secrets.
	Sensitive []string
	// Image is one that the service could pull.
	Image string
	// Prepares: a step is prepared before it is submitted.
	Prepares bool
}

// Harness is a flavor behind its real contract, with one operator on a fake.
type Harness struct {
	T      testing.TB
	Plugin operatorv1.StepOperatorClient
	Target *operatorv1.Target

	flavor Flavor
	fake   *cloudfake.Fake
}

// New starts a flavor for one test.
func New(t testing.TB, f Flavor, fake *cloudfake.Fake, operator map[string]any) *Harness {
	impl, release := f.New()
	server, err := pluginsdk.NewServer(f.Manifest, impl)
	require.NoError(t, err)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(messageMost), grpc.MaxSendMsgSize(messageMost))
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///flavor",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMost)))
	require.NoError(t, err)
	h := &Harness{T: t, Plugin: operatorv1.NewStepOperatorClient(conn), flavor: f, fake: fake}
	t.Cleanup(func() {
		conn.Close()
		g.Stop()
		server.Close()
		release()
		fake.Close()
	})
	h.Target = h.TargetOf(operator)
	scope, err := h.Plugin.Scope(h.Ctx(), &operatorv1.ScopeRequest{Target: h.Target})
	require.NoError(t, err)
	require.NotEmpty(t, scope.GetScope().GetId(), "%v", scope)
	h.Target.Scope = scope.GetScope()
	return h
}

// TargetOf is an operator with other attributes, its scope not asked for yet.
func (h *Harness) TargetOf(operator map[string]any) *operatorv1.Target {
	about, err := h.Plugin.GetMetadata(h.Ctx(), &operatorv1.GetMetadataRequest{})
	require.NoError(h.T, err)
	return &operatorv1.Target{Operator: "gpu", FlavorVersion: about.Version, ManifestDigest: about.ManifestDigest, Config: h.values(h.flavor.Config(), operator)}
}

// Settings are a step's settings, the rest as it is by default.
func (h *Harness) Settings(given map[string]any) *operatorv1.Values {
	return h.values(h.flavor.Settings(), given)
}

func (h *Harness) values(all, given map[string]any) *operatorv1.Values {
	maps.Copy(all, given)
	secrets := map[string]*operatorv1.Secret{}
	for _, name := range h.flavor.Sensitive {
		if value, ok := all[name].(string); ok {
			secrets[name] = &operatorv1.Secret{Value: value}
		}
		delete(all, name)
	}
	text, err := json.Marshal(all)
	require.NoError(h.T, err)
	return &operatorv1.Values{Json: text, Secrets: secrets}
}

// Ctx is a context for one call.
func (h *Harness) Ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Hang)
	h.T.Cleanup(cancel)
	return ctx
}

// Step is a step that runs a script in an image with the shim.
func (h *Harness) Step(token, script string) *operatorv1.Step {
	return &operatorv1.Step{
		RunId: "RUN-" + token, RunToken: token, Attempt: 1, Key: KeyOf(token, 1), Pipeline: "digits", PipelineRun: "Nightly 7", Name: "train",
		Argv: []string{"sh", "-c", script}, Settings: h.Settings(nil), AllowVisibleSecrets: true,
		Environment: &operatorv1.Environment{Kind: &operatorv1.Environment_Image_{Image: &operatorv1.Environment_Image{Reference: h.flavor.Image, Shim: true}}},
	}
}

// KeyOf has the form of a key.
func KeyOf(token string, attempt int) string {
	sum := sha256.Sum256([]byte(strings.Repeat("k", attempt) + token))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}
