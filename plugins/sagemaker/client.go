package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/budget"
	"github.com/stephost/stephost/pluginsdk/follow"
)

const (
	// headerTimeout is below the bounds of the contract's calls, so that an answer is
	// this flavor's own.
	headerTimeout = 25 * time.Second
	// statesBurst is the part of the budget of questions about states that may be
	// used at once, logCallsBurst that of the log's.
	statesBurst   = 10 * time.Second
	logCallsBurst = time.Second
	// logCallsPerMinute is for all runs of a login and region together:
	// GetLogEvents and DescribeLogStreams have quotas of 25 a second
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html),
	// which others share.
	logCallsPerMinute = 600
	// assumeAhead renews an assumed role before it ends.
	assumeAhead = 5 * time.Minute
)

// client is one login at one place.
type client struct {
	api  sagemakerCalls
	logs logsCalls
	s3   s3Calls
	sts  stsCalls
	ecr  ecrCalls

	aws aws.Config
	// endpoints by service, for calls without an SDK client.
	endpoint func(service string) *string
	// states and logCalls are the budgets of questions about jobs and of CloudWatch.
	states, logCalls *budget.Budget
	watched          watched
	// phases tells who reads a log whether the job waits or is over.
	phases follow.Phases
	config Config
	drop   func()
}

// open returns the client of a config. Clients are shared by operators with the
// same place and credentials.
func (g *sagemaker) open(ctx context.Context, c Config) (*client, error) {
	parts := []any{c.Region, c.Profile, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.AssumeRole, c.EndpointURL, c.MaxCallsPerMinute}
	for _, service := range slices.Sorted(maps.Keys(c.Endpoints)) {
		parts = append(parts, service, c.Endpoints[service])
	}
	key := pluginsdk.Key(parts...)
	return g.clients.Get(ctx, key, func(ctx context.Context) (*client, error) {
		cl, err := dial(ctx, c)
		if err == nil {
			cl.drop = func() { g.clients.Drop(key) }
		}
		return cl, err
	})
}

// dial logs in: the SDK's default chain, or what the config says instead. The
// network is used only where the chain itself needs it.
func dial(ctx context.Context, c Config) (*client, error) {
	options := []func(*config.LoadOptions) error{
		// Nothing is asked twice behind our back: the SDK of stephost and the host
		// ask again, at their pace, and a creating call must not be repeated at all.
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithHTTPClient(newHTTPClient()),
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, pluginsdk.Auth(err)
	}
	if cfg.Region == "" {
		return nil, pluginsdk.Config("config.region", "no AWS region is known: set region, AWS_REGION, or the region of the profile")
	}
	cl := &client{aws: cfg, config: c}
	cl.endpoint = func(service string) *string {
		if url := c.Endpoints[service]; url != "" {
			return aws.String(url)
		}
		return text(c.EndpointURL) // nil: AWS_ENDPOINT_URL*, the profile, Amazon's own
	}
	if c.AssumeRole != "" {
		asker := newSTSCalls(sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = or(cl.endpoint("sts"), o.BaseEndpoint) }))
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(asker, c.AssumeRole, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "stephost"
		}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = assumeAhead })
		cl.aws = cfg
	}
	cl.api = newSageMakerCalls(api.NewFromConfig(cfg, func(o *api.Options) { o.BaseEndpoint = or(cl.endpoint("sagemaker"), o.BaseEndpoint) }))
	cl.logs = newLogsCalls(cloudwatchlogs.NewFromConfig(cfg, func(o *cloudwatchlogs.Options) { o.BaseEndpoint = or(cl.endpoint("logs"), o.BaseEndpoint) }))
	cl.sts = newSTSCalls(sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = or(cl.endpoint("sts"), o.BaseEndpoint) }))
	// Making a repository, a login and reading a bucket may be repeated.
	again := func() aws.Retryer { return retry.NewStandard() }
	cl.ecr = newECRCalls(ecr.NewFromConfig(cfg, func(o *ecr.Options) {
		o.BaseEndpoint, o.Retryer = or(cl.endpoint("ecr"), o.BaseEndpoint), again()
	}))
	cl.s3 = newS3Calls(s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.BaseEndpoint, o.Retryer = or(cl.endpoint("s3"), o.BaseEndpoint), again()
		o.UsePathStyle = o.BaseEndpoint != nil // an emulator has no host name for each bucket
	}))
	cl.states = budget.New(c.MaxCallsPerMinute, statesBurst)
	cl.logCalls = budget.New(logCallsPerMinute, logCallsBurst)
	return cl, nil
}

func or(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}

// newHTTPClient is the SDK's own kind, so that AWS_CA_BUNDLE and proxies count.
func newHTTPClient() *awshttp.BuildableClient {
	const perHost = 32 // a host that follows hundreds of runs reads many logs at once
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout, t.MaxIdleConnsPerHost = headerTimeout, perHost
	})
}

// watched remembers the states of jobs; see batch.go.
type watched struct {
	mu   sync.Mutex
	jobs map[string]remembered
	// listed is when the last list call was begun, swept when the last one that
	// looked at all jobs.
	listed, swept time.Time
	// newest is the latest change that a list told, by AWS's clock.
	newest time.Time
}
