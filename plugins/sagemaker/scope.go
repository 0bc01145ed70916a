package main

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/stephost/stephost/pluginsdk"
)

// Scope is the account, the region and the partition that the credentials lead
// to. GetCallerIdentity needs no permission.
func (g *sagemaker) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	p, err := cl.place(ctx)
	return p.scope(), err
}

func (cl *client) place(ctx context.Context) (place, error) {
	who, err := cl.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return place{}, cl.ask(err)
	}
	partition := "aws"
	if parts := strings.Split(aws.ToString(who.Arn), ":"); len(parts) > 1 && parts[1] != "" {
		partition = parts[1]
	}
	return place{partition: partition, account: aws.ToString(who.Account), region: cl.aws.Region}, nil
}
