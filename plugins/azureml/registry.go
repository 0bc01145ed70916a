package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/stephost/stephost/pluginsdk"
)

const (
	// tokenUser is who logs in with a token
	// (https://learn.microsoft.com/azure/container-registry/container-registry-authentication).
	tokenUser = "00000000-0000-0000-0000-000000000000"
	// refreshLives is how long the registry's own token lives: three hours by the
	// same page; less is said, so that it is renewed in time.
	refreshLives = 2 * time.Hour
)

// RegistryAuth exchanges the login for one of an Azure Container Registry.
// Repositories there are made by the first push, so nothing is made here.
func (g *azureml) RegistryAuth(ctx context.Context, c Config, r pluginsdk.RegistryRequest) (pluginsdk.RegistryCredentials, error) {
	none := pluginsdk.RegistryCredentials{}
	if !containerRegistry(r.Registry) {
		return none, pluginsdk.ErrNotOurs
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return none, err
	}
	audience := c.place().Services[cloud.ResourceManager].Audience
	token, err := cl.signer.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{strings.TrimSuffix(audience, "/") + "/.default"}})
	if err != nil {
		return none, cl.ask(err)
	}
	at := c.endpoint("registry")
	if at == "" {
		at = "https://" + r.Registry
	}
	form := url.Values{"grant_type": {"access_token"}, "service": {r.Registry}, "access_token": {token.Token}}
	if c.TenantID != "" {
		form.Set("tenant", c.TenantID)
	}
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := postForm(ctx, cl.http, at+"/oauth2/exchange", form, &answer); err != nil {
		if e, ok := err.(*formError); ok && (e.status == 401 || e.status == 403) {
			return none, pluginsdk.Auth(err)
		}
		return none, pluginsdk.Unreachable(err)
	}
	return pluginsdk.RegistryCredentials{Username: tokenUser, Password: pluginsdk.NewSecret(answer.RefreshToken), ExpiresAt: time.Now().Add(refreshLives)}, nil
}

// containerRegistry tells a host of Azure Container Registry.
func containerRegistry(host string) bool {
	for _, suffix := range []string{".azurecr.io", ".azurecr.us", ".azurecr.cn"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
