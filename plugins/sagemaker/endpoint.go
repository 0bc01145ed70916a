package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// What environment and profile say about where services are, in the order in which
// the SDK's clients ask for it: the package that they do it with is internal.

type (
	fipsSource interface {
		GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
	}
	dualSource interface {
		GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
	}
	ignoreSource interface {
		GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
	}
	endpointSource interface {
		GetServiceBaseEndpoint(ctx context.Context, service string) (string, bool, error)
	}
)

// first is the first answer of those sources that can be asked.
func first[S, V any](ctx context.Context, cfg aws.Config, ask func(S, context.Context) (V, bool, error)) (v V, found bool, err error) {
	for _, source := range cfg.ConfigSources {
		if s, ok := source.(S); ok {
			if v, found, err = ask(s, ctx); err != nil || found {
				return v, found, err
			}
		}
	}
	return v, false, nil
}

// endpointOf is where a person says that a service is: in the operator (at), in
// AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL or the profile; nil = nowhere.
// service is the SDK's name of it.
func endpointOf(ctx context.Context, cfg aws.Config, service string, at *string) (*string, error) {
	if at != nil {
		return at, nil
	}
	if ignore, _, err := first(ctx, cfg, ignoreSource.GetIgnoreConfiguredEndpoints); err != nil || ignore {
		return nil, err
	}
	url, found, err := first(ctx, cfg, func(s endpointSource, ctx context.Context) (string, bool, error) {
		return s.GetServiceBaseEndpoint(ctx, service)
	})
	if err != nil || !found {
		return cfg.BaseEndpoint, err
	}
	return &url, nil
}
