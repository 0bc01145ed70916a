package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/budget"
	"github.com/stephost/stephost/pluginsdk/follow"
)

const (
	// headerTimeout is below the bounds of the contract's calls, so that an answer
	// is this flavor's own.
	headerTimeout = 25 * time.Second
	// statesBurst is the part of the budget of questions about jobs that may be used
	// at once.
	statesBurst = 10 * time.Second
	// perHost: a host that follows hundreds of runs reads many logs at once.
	perHost = 32
	// moduleName and moduleVersion are for the User-Agent of the run history.
	moduleName, moduleVersion = "stephost-azureml", "v0.1.0"
)

// client is one login at one workspace.
type client struct {
	config Config
	signer *signer
	http   *http.Client
	// jobs repeats nothing: the SDK of stephost and the host ask again, at their
	// pace, and a creating call must not be repeated at all.
	jobs *ml.JobsClient
	// What Prepare makes may be asked for again.
	workspaces   *ml.WorkspacesClient
	containers   *ml.EnvironmentContainersClient
	environments *ml.EnvironmentVersionsClient
	codes        *ml.CodeVersionsClient
	computes     *ml.ComputeClient
	sizes        *ml.VirtualMachineSizesClient
	usages       *ml.UsagesClient
	history      runtime.Pipeline
	// states is the budget of questions about jobs.
	states *budget.Budget
	// phases tells who reads a log whether the job waits or is over.
	phases  follow.Phases
	reasons reasons
	drop    func()

	mu    sync.Mutex
	known *workspace // of the workspace; set once it was read
}

// open returns the client of a config. Clients are shared by operators with the
// same place and credentials.
func (g *azureml) open(ctx context.Context, c Config) (*client, error) {
	parts := []any{c.SubscriptionID, c.ResourceGroup, c.WorkspaceName, c.TenantID, c.ServicePrincipalID, c.ServicePrincipalPassword, c.Cloud, c.MaxCallsPerMinute, c.LogSettle.String()}
	for _, service := range slices.Sorted(maps.Keys(c.Endpoints)) {
		parts = append(parts, service, c.Endpoints[service])
	}
	key := pluginsdk.Key(parts...)
	return g.clients.Get(ctx, key, func(context.Context) (*client, error) {
		cl, err := dial(c)
		if err == nil {
			cl.drop = func() { g.clients.Drop(key) }
		}
		return cl, err
	})
}

// dial makes a client; it asks nobody.
func dial(c Config) (*client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout, transport.MaxIdleConnsPerHost = headerTimeout, perHost
	cl := &client{config: c, http: &http.Client{Transport: transport}, states: budget.New(c.MaxCallsPerMinute, statesBurst)}
	place := c.place()
	var err error
	if cl.signer, err = newSigner(c, place, cl.http); err != nil {
		return nil, pluginsdk.Auth(err)
	}
	once := cl.options(place, policy.RetryOptions{MaxRetries: -1})
	again := cl.options(place, policy.RetryOptions{})
	if cl.jobs, err = ml.NewJobsClient(c.SubscriptionID, cl.signer, once); err != nil {
		return nil, err
	}
	cl.history = runtime.NewPipeline(moduleName, moduleVersion, runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(cl.signer, []string{historyScope(c.Cloud)}, &policy.BearerTokenOptions{
			InsecureAllowCredentialWithHTTP: plain(c.endpoint("history")),
		})},
	}, &once.ClientOptions)
	factory, err := ml.NewClientFactory(c.SubscriptionID, cl.signer, again)
	if err != nil {
		return nil, err
	}
	cl.workspaces, cl.computes = factory.NewWorkspacesClient(), factory.NewComputeClient()
	cl.containers, cl.environments = factory.NewEnvironmentContainersClient(), factory.NewEnvironmentVersionsClient()
	cl.codes = factory.NewCodeVersionsClient()
	cl.sizes, cl.usages = factory.NewVirtualMachineSizesClient(), factory.NewUsagesClient()
	return cl, nil
}

func (cl *client) options(place cloud.Configuration, retry policy.RetryOptions) *arm.ClientOptions {
	return &arm.ClientOptions{
		DisableRPRegistration: true, // needs a right that a data scientist has not
		ClientOptions: policy.ClientOptions{
			Cloud: place, Retry: retry, Transport: cl.http,
			InsecureAllowCredentialWithHTTP: plain(cl.config.endpoint("management")),
		},
	}
}

// plain tells whether an address is spoken to without TLS. The manifest allows
// that for this machine alone.
func plain(address string) bool { return strings.HasPrefix(address, "http://") }

// place is the cloud of the config.
func (c Config) place() cloud.Configuration {
	place := map[string]cloud.Configuration{"usgovernment": cloud.AzureGovernment, "china": cloud.AzureChina}[c.Cloud]
	if place.Services == nil {
		place = cloud.AzurePublic
	}
	manager := place.Services[cloud.ResourceManager]
	place.Services = maps.Clone(place.Services)
	if other := c.endpoint("management"); other != "" {
		manager.Endpoint = other
		place.Services[cloud.ResourceManager] = manager
	}
	if other := c.endpoint("authority"); other != "" {
		place.ActiveDirectoryAuthorityHost = other
	}
	return place
}

// workspace is what is known of the workspace.
type workspace struct {
	id, location string
	// history is the address of its data plane.
	history string
}

// about reads the workspace. fresh: what was read before does not count.
func (cl *client) about(ctx context.Context, fresh bool) (*workspace, error) {
	cl.mu.Lock()
	known := cl.known
	cl.mu.Unlock()
	if known != nil && !fresh {
		return known, nil
	}
	got, err := cl.workspaces.Get(ctx, cl.config.ResourceGroup, cl.config.WorkspaceName, nil)
	if err != nil {
		return nil, cl.ask(err)
	}
	w := &workspace{location: text(got.Location), history: cl.config.endpoint("history")}
	if got.Properties != nil {
		w.id = text(got.Properties.WorkspaceID)
		if w.history == "" {
			w.history = origin(text(got.Properties.DiscoveryURL))
		}
	}
	if w.history == "" {
		w.history = "https://" + w.location + ".api.azureml.ms"
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.known = w
	return w, nil
}

// origin is scheme and host of a URL.
func origin(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// text is the value of an optional string.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional is nil for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

var _ azcore.TokenCredential = (*signer)(nil)
