package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

const (
	// tokenTimeout bounds one question for a token: it comes before other calls,
	// which are bounded by a minute or less. `az` is a Python program and starts
	// slowly.
	tokenTimeout = 20 * time.Second
	// renewAhead: a token is renewed before it ends, so that none expires on its
	// way.
	renewAhead = 2 * time.Minute
	// maxToken bounds the answer of a login.
	maxToken = 1 << 20
)

// credentialsError says that there is no token: nothing was sent.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no credentials for Azure: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// signer gets tokens, in time that is bounded, and marks its errors, so that "no
// token" is told apart from what a service says.
type signer struct{ source azcore.TokenCredential }

// newSigner finds the login: the service principal of the config, else Azure's
// default chain.
func newSigner(c Config, place cloud.Configuration, client *http.Client) (*signer, error) {
	options := policy.ClientOptions{Cloud: place, Transport: client}
	private := c.endpoint("authority") != ""
	var source azcore.TokenCredential
	var err error
	switch {
	case c.ServicePrincipalID != "" && plain(c.endpoint("authority")):
		source = &plainLogin{config: c, http: client, held: map[string]azcore.AccessToken{}}
	case c.ServicePrincipalID != "":
		source, err = azidentity.NewClientSecretCredential(c.TenantID, c.ServicePrincipalID, c.ServicePrincipalPassword.Reveal(),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: private})
	default:
		source, err = azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: options, TenantID: c.TenantID, DisableInstanceDiscovery: private})
	}
	if err != nil {
		return nil, err
	}
	return &signer{source}, nil
}

// GetToken gets a token.
func (s *signer) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := s.source.GetToken(ctx, o)
	if err != nil {
		return token, &credentialsError{err}
	}
	return token, nil
}

// plainLogin signs a service principal in at an authority on this machine: an
// emulator. azidentity takes https alone.
type plainLogin struct {
	config Config
	http   *http.Client

	mu   sync.Mutex
	held map[string]azcore.AccessToken // by scope
}

// GetToken makes the client credentials grant of OAuth 2.0.
func (p *plainLogin) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	scope := strings.Join(o.Scopes, " ")
	p.mu.Lock()
	token, ok := p.held[scope]
	p.mu.Unlock()
	if ok && time.Until(token.ExpiresOn) > renewAhead {
		return token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.config.ServicePrincipalID},
		"client_secret": {p.config.ServicePrincipalPassword.Reveal()}, "scope": {scope}}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	at := p.config.endpoint("authority") + "/" + p.config.TenantID + "/oauth2/v2.0/token"
	if err := postForm(ctx, p.http, at, form, &answer); err != nil {
		return token, err
	}
	token = azcore.AccessToken{Token: answer.AccessToken, ExpiresOn: time.Now().Add(time.Duration(answer.ExpiresIn) * time.Second)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[scope] = token
	return token, nil
}

// formError is a refusal of postForm.
type formError struct {
	status int
	text   string
}

func (e *formError) Error() string { return fmt.Sprintf("HTTP status %d: %.300s", e.status, e.text) }

// postForm posts a form and reads JSON.
func postForm(ctx context.Context, client *http.Client, at string, form url.Values, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxToken))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return &formError{answer.StatusCode, string(data)}
	}
	return json.Unmarshal(data, into)
}
