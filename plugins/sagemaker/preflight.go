package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/stephost/stephost/pluginsdk"
)

// Preflight looks for what would fail: login, permission to ask, role, bucket,
// registry, quota. What the login may not look at is a warning: launching does
// not need it.
func (g *sagemaker) Preflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	cl, err := g.open(ctx, c)
	if err != nil {
		return err
	}
	p, err := cl.place(ctx)
	if err != nil {
		return fmt.Errorf("the AWS login does not work (aws sts get-caller-identity): %w", err)
	}
	if _, err := cl.api.ListTrainingJobs(ctx, &api.ListTrainingJobsInput{MaxResults: aws.Int32(1), NameContains: aws.String(namePrefix)}); err != nil {
		return fmt.Errorf("training jobs cannot be listed (sagemaker:ListTrainingJobs): %w", cl.ask(err))
	}
	var set Settings
	if s != nil {
		if err := s.DecodeSettings(&set); err != nil {
			return err
		}
	}
	found := []error{cl.states.Note("questions about jobs", "max_calls_per_minute"), cl.checkBucket(ctx, p, c, set), cl.checkRole(ctx, p, c), cl.checkRegistry(ctx)}
	if s != nil {
		if b, err := build(c, p, s); err == nil {
			found = append(found, cl.checkQuota(ctx, p, b))
		}
	}
	return errors.Join(found...)
}

func (cl *client) checkBucket(ctx context.Context, p place, c Config, set Settings) error {
	path := "config.bucket_name"
	if set.OutputPath != "" {
		path = "settings.output_path"
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(p.output(c, set), "s3://"), "/")
	_, err := cl.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(bucket)})
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case code == "NotFound", code == "NoSuchBucket":
		return pluginsdk.Config(path, "the bucket %s does not exist: make it (aws s3 mb s3://%s), or name another one", bucket, bucket)
	case code == "Forbidden", denied(code):
		return pluginsdk.Warn(path, "the login may not look at the bucket %s (s3:ListBucket): outputs are then named, but not listed", bucket)
	case code == "MovedPermanently", code == "PermanentRedirect":
		return pluginsdk.Config(path, "the bucket %s is in another region than the job (%s)", bucket, p.region)
	}
	return pluginsdk.Warn(path, "the bucket %s could not be looked at: %s", bucket, err)
}

// checkRole looks whether SageMaker may assume the role.
func (cl *client) checkRole(ctx context.Context, p place, c Config) error {
	arn := p.role(c)
	name := arn[strings.LastIndex(arn, "/")+1:]
	var out struct {
		Role struct {
			Arn                      string `xml:"Arn"`
			AssumeRolePolicyDocument string `xml:"AssumeRolePolicyDocument"`
		} `xml:"GetRoleResult>Role"`
	}
	err := cl.query(ctx, p, "iam", url.Values{"Action": {"GetRole"}, "Version": {"2010-05-08"}, "RoleName": {name}}, &out)
	var refused *callError
	switch {
	case errors.As(err, &refused) && refused.code == "NoSuchEntity":
		return pluginsdk.Config("config.role", "there is no role %s in account %s", name, p.account)
	case err != nil:
		return pluginsdk.Warn("config.role", "the role %s could not be looked at (iam:GetRole), so whether SageMaker may assume it is not known: %s", name, err)
	case strings.HasPrefix(c.Role, "arn:") && out.Role.Arn != c.Role:
		return pluginsdk.Config("config.role", "the role %s is not there; the one of this name is %s", c.Role, out.Role.Arn)
	}
	trust, err := url.QueryUnescape(out.Role.AssumeRolePolicyDocument)
	if err != nil || !strings.Contains(trust, "sagemaker.amazonaws.com") {
		return pluginsdk.Config("config.role", "SageMaker may not assume the role %s: its trust policy must allow sts:AssumeRole to sagemaker.amazonaws.com", name)
	}
	return nil
}

func (cl *client) checkRegistry(ctx context.Context) error {
	if _, err := cl.ecr.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}); err != nil {
		return pluginsdk.Warn("", "Amazon ECR gives no credentials (ecr:GetAuthorizationToken), so images cannot be pushed with this login: %s", err)
	}
	return nil
}

// checkQuota looks for the quota of the instance type: 0 in most new accounts.
func (cl *client) checkQuota(ctx context.Context, p place, b *built) error {
	r := b.input.ResourceConfig
	what := fmt.Sprintf("%s for training job usage", r.InstanceType)
	switch {
	case aws.ToInt32(r.KeepAlivePeriodInSeconds) > 0:
		what = fmt.Sprintf("%s for training warm pool usage", r.InstanceType)
	case aws.ToBool(b.input.EnableManagedSpotTraining):
		what = fmt.Sprintf("%s for spot training job usage", r.InstanceType)
	}
	const pages = 30 // about 1,500 quotas of 100 a page, and a bound
	token := ""
	for range pages {
		in := map[string]any{"ServiceCode": "sagemaker", "MaxResults": 100}
		if token != "" {
			in["NextToken"] = token
		}
		var out struct {
			Quotas []struct {
				QuotaName string
				Value     float64
			}
			NextToken string
		}
		if err := cl.json(ctx, p, "servicequotas", "ServiceQuotasV20190624.ListServiceQuotas", in, &out); err != nil {
			return pluginsdk.Warn(machines().Attribute, "the quota %q could not be looked at (servicequotas:ListServiceQuotas): %s", what, err)
		}
		for _, q := range out.Quotas {
			if q.QuotaName == what && q.Value < float64(aws.ToInt32(r.InstanceCount)) {
				return pluginsdk.Config(machines().Attribute, "the account's quota %q is %g, the step needs %d: ask for more in the console of Service Quotas", what, q.Value, aws.ToInt32(r.InstanceCount))
			} else if q.QuotaName == what {
				return nil
			}
		}
		if token = out.NextToken; token == "" {
			break
		}
	}
	return nil
}
