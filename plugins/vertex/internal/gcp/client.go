package gcp

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Limits of a client.
const (
	// maxMessage: a page of 1000 log entries of 256 KiB never comes in one piece,
	// but one of some megabytes does.
	maxMessage = 64 << 20
	// afterLife keeps a client that was dropped open for the calls that still use
	// it: none takes longer.
	afterLife = 2 * time.Minute
	// httpTimeout bounds one call of a JSON API besides its context.
	httpTimeout = 60 * time.Second
)

// Options say where and as whom.
type Options struct {
	Region      string
	Credentials string // path of a credentials file; "" = the default chain
	Impersonate string
	// Endpoints are addresses by service; a service that is not there has its
	// public one.
	Endpoints map[string]string
}

// Client are the connections of one place with one login. All methods may be
// called from several goroutines.
type Client struct {
	Jobs      aiplatformpb.JobServiceClient
	Resources aiplatformpb.PersistentResourceServiceClient
	Logging   loggingpb.LoggingServiceV2Client

	login     *login
	http      *http.Client
	conns     []*grpc.ClientConn
	endpoints map[string]string
}

// New makes a client. It dials nobody yet.
func New(ctx context.Context, o Options) (*Client, error) {
	c := &Client{http: &http.Client{Timeout: httpTimeout, Transport: http.DefaultTransport.(*http.Transport).Clone()}, endpoints: map[string]string{}}
	for service, public := range map[string]string{
		"aiplatform": o.Region + "-aiplatform.googleapis.com", "logging": "logging.googleapis.com", "storage": "storage.googleapis.com",
		"artifactregistry": "artifactregistry.googleapis.com", "iamcredentials": "iamcredentials.googleapis.com", "cloudquotas": "cloudquotas.googleapis.com",
	} {
		c.endpoints[service] = public
		if other := o.Endpoints[service]; other != "" {
			c.endpoints[service] = strings.TrimSuffix(other, "/")
		}
	}
	// The library takes its HTTP client from the context; that context must
	// outlive this call, because tokens are renewed with it.
	background := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Timeout: tokenTimeout, Transport: c.http.Transport})
	var err error
	if c.login, err = newLogin(background, o.Credentials); err != nil {
		return nil, err
	}
	if o.Impersonate != "" {
		c.login.impersonate(o.Impersonate, c.rest("iamcredentials"), c.http)
	}
	jobs, err := c.dial("aiplatform")
	if err != nil {
		return nil, err
	}
	logs, err := c.dial("logging")
	if err != nil {
		return nil, err
	}
	c.Jobs, c.Resources = aiplatformpb.NewJobServiceClient(jobs), aiplatformpb.NewPersistentResourceServiceClient(jobs)
	c.Logging = loggingpb.NewLoggingServiceV2Client(logs)
	return c, nil
}

// Who is the account that calls are made as, for messages; "" = not known.
func (c *Client) Who() string { return c.login.who }

// Release closes the client once the calls that may use it are over.
func (c *Client) Release() {
	time.AfterFunc(afterLife, c.Close)
}

// Close closes the client.
func (c *Client) Close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.http.CloseIdleConnections()
}

// plain tells whether an address is spoken to without TLS: this machine alone.
func plain(address string) bool { return strings.HasPrefix(address, "http://") }

// rest is the beginning of the URLs of a JSON API.
func (c *Client) rest(service string) string {
	address := c.endpoints[service]
	if strings.Contains(address, "://") {
		return address
	}
	return "https://" + address
}

// dial makes the connection to a gRPC service.
func (c *Client) dial(service string) (*grpc.ClientConn, error) {
	address := c.endpoints[service]
	transport := credentials.NewTLS(nil)
	if plain(address) {
		transport = insecure.NewCredentials()
	}
	_, target, found := strings.Cut(address, "://")
	if !found {
		target = address
	}
	if u, err := url.Parse("//" + target); err == nil && u.Port() == "" {
		target += ":443"
	}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(transport),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent("stephost-vertex"),
		grpc.WithChainUnaryInterceptor(c.authorize),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

// authorize puts the token and what the service routes by into a call. It does
// the first by itself, and not as credentials of the connection, so that "no
// token" is told apart from what the service says.
func (c *Client) authorize(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	token, err := c.token(ctx)
	if err != nil {
		return err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	if c.login.quota != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-goog-user-project", c.login.quota)
	}
	// The gateway routes by this header (https://google.aip.dev/client-libraries/4222).
	switch m := in.(type) {
	case interface{ GetParent() string }:
		ctx = metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", "parent="+url.QueryEscape(m.GetParent()))
	case interface{ GetName() string }:
		ctx = metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", "name="+url.QueryEscape(m.GetName()))
	}
	return next(ctx, method, in, out, conn, opts...)
}

// token is a token that is still good for a while.
func (c *Client) token(ctx context.Context) (string, error) {
	type answer struct {
		token *oauth2.Token
		err   error
	}
	// The library's sources know no context; they are bounded by tokenTimeout.
	got := make(chan answer, 1)
	go func() {
		t, err := c.login.source.Token()
		got <- answer{t, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return "", &CredentialsError{a.err}
		}
		return a.token.AccessToken, nil
	case <-ctx.Done():
		return "", &CredentialsError{ctx.Err()}
	}
}

// Token is the access token of the login and when it ends, for registries.
func (c *Client) Token(ctx context.Context) (value string, expires time.Time, err error) {
	value, err = c.token(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	if t, err := c.login.source.Token(); err == nil {
		expires = t.Expiry
	}
	return value, expires, nil
}

// Connected waits until the service of jobs is connected. Where that fails,
// nothing was sent.
func (c *Client) Connected(ctx context.Context) error {
	conn := c.conns[0]
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			conn.Connect()
		case connectivity.TransientFailure:
			return &ConnectError{c.endpoints["aiplatform"]}
		}
		if !conn.WaitForStateChange(ctx, state) {
			return &ConnectError{c.endpoints["aiplatform"]}
		}
	}
}

// ConnectError says that no connection could be made: nothing was sent.
type ConnectError struct{ address string }

// Error names the address.
func (e *ConnectError) Error() string { return "no connection to " + e.address }
