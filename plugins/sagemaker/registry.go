package main

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/stephost/stephost/pluginsdk"
)

// ecrRegistry is one account's registry in one region.
type ecrRegistry struct{ account, region string }

// ecrHost reads the host name of a private registry of Amazon ECR
// (https://docs.aws.amazon.com/general/latest/gr/ecr.html).
func ecrHost(host string) (ecrRegistry, bool) {
	m := regexp.MustCompile(`^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$`).FindStringSubmatch(host)
	if m == nil {
		return ecrRegistry{}, false
	}
	return ecrRegistry{account: m[1], region: m[2]}, true
}

// RegistryAuth gives the credentials of Amazon ECR, valid for 12 hours, and
// makes the repository if asked.
func (g *sagemaker) RegistryAuth(ctx context.Context, c Config, r pluginsdk.RegistryRequest) (pluginsdk.RegistryCredentials, error) {
	host := r.Registry
	registry, ok := ecrHost(host)
	if !ok {
		return pluginsdk.RegistryCredentials{}, pluginsdk.ErrNotOurs
	}
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.RegistryCredentials{}, err
	}
	region := func(o *ecr.Options) { o.Region = registry.region }
	created := false
	if r.Create && r.Repository != "" {
		_, err := cl.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(r.Repository), RegistryId: aws.String(registry.account)}, region)
		var exists *ecrtypes.RepositoryAlreadyExistsException
		switch {
		case err == nil:
			created = true
		case errors.As(err, &exists):
		default:
			return pluginsdk.RegistryCredentials{}, cl.ask(err)
		}
	}
	out, err := cl.ecr.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}, region)
	if err != nil {
		return pluginsdk.RegistryCredentials{}, cl.ask(err)
	}
	if len(out.AuthorizationData) == 0 {
		return pluginsdk.RegistryCredentials{}, pluginsdk.System(errors.New("ECR gave no token"))
	}
	data := out.AuthorizationData[0]
	login, err := base64.StdEncoding.DecodeString(aws.ToString(data.AuthorizationToken))
	user, password, ok := strings.Cut(string(login), ":")
	if err != nil || !ok {
		return pluginsdk.RegistryCredentials{}, pluginsdk.System(errors.New("ECR's token cannot be read"))
	}
	return pluginsdk.RegistryCredentials{
		Username: user, Password: pluginsdk.NewSecret(password), ExpiresAt: aws.ToTime(data.ExpiresAt), Created: created,
	}, nil
}
