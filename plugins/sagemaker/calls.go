package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The operations that this flavor uses, one by one. A client of the SDK has
// hundreds of methods, and where its type can be reached through an interface (as
// what the flavor holds can be) the linker must keep all of them: reflection,
// which gRPC and go-plugin use, could call any. That made the binary 11 MB larger.
// So no client of the SDK is ever part of a type here, or converted to an
// interface; what a paginator of the SDK takes has its operation as a method.

// call is one operation of a service with the options O.
type call[I, O, A any] func(ctx context.Context, in *I, options ...func(*O)) (*A, error)

// sagemakerCalls are those of SageMaker.
type sagemakerCalls struct {
	CreateTrainingJob   call[api.CreateTrainingJobInput, api.Options, api.CreateTrainingJobOutput]
	DescribeTrainingJob call[api.DescribeTrainingJobInput, api.Options, api.DescribeTrainingJobOutput]
	StopTrainingJob     call[api.StopTrainingJobInput, api.Options, api.StopTrainingJobOutput]
	CreateExperiment    call[api.CreateExperimentInput, api.Options, api.CreateExperimentOutput]
	CreateTrial         call[api.CreateTrialInput, api.Options, api.CreateTrialOutput]

	listTrainingJobs call[api.ListTrainingJobsInput, api.Options, api.ListTrainingJobsOutput]
	search           call[api.SearchInput, api.Options, api.SearchOutput]
	listTags         call[api.ListTagsInput, api.Options, api.ListTagsOutput]
}

func newSageMakerCalls(c *api.Client) sagemakerCalls {
	return sagemakerCalls{
		CreateTrainingJob: c.CreateTrainingJob, DescribeTrainingJob: c.DescribeTrainingJob, StopTrainingJob: c.StopTrainingJob,
		CreateExperiment: c.CreateExperiment, CreateTrial: c.CreateTrial,
		listTrainingJobs: c.ListTrainingJobs, search: c.Search, listTags: c.ListTags,
	}
}

// ListTrainingJobs is for the SDK's paginator, as those below are.
func (c sagemakerCalls) ListTrainingJobs(ctx context.Context, in *api.ListTrainingJobsInput, options ...func(*api.Options)) (*api.ListTrainingJobsOutput, error) {
	return c.listTrainingJobs(ctx, in, options...)
}

// Search finds jobs by their tags.
func (c sagemakerCalls) Search(ctx context.Context, in *api.SearchInput, options ...func(*api.Options)) (*api.SearchOutput, error) {
	return c.search(ctx, in, options...)
}

// ListTags lists the tags of a job.
func (c sagemakerCalls) ListTags(ctx context.Context, in *api.ListTagsInput, options ...func(*api.Options)) (*api.ListTagsOutput, error) {
	return c.listTags(ctx, in, options...)
}

// logsCalls are those of CloudWatch Logs.
type logsCalls struct {
	GetLogEvents call[cloudwatchlogs.GetLogEventsInput, cloudwatchlogs.Options, cloudwatchlogs.GetLogEventsOutput]

	describeLogStreams call[cloudwatchlogs.DescribeLogStreamsInput, cloudwatchlogs.Options, cloudwatchlogs.DescribeLogStreamsOutput]
}

func newLogsCalls(c *cloudwatchlogs.Client) logsCalls {
	return logsCalls{GetLogEvents: c.GetLogEvents, describeLogStreams: c.DescribeLogStreams}
}

// DescribeLogStreams lists the streams of a job.
func (c logsCalls) DescribeLogStreams(ctx context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, options ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	return c.describeLogStreams(ctx, in, options...)
}

// s3Calls are those of S3.
type s3Calls struct {
	HeadBucket call[s3.HeadBucketInput, s3.Options, s3.HeadBucketOutput]
	GetObject  call[s3.GetObjectInput, s3.Options, s3.GetObjectOutput]

	listObjects call[s3.ListObjectsV2Input, s3.Options, s3.ListObjectsV2Output]
}

func newS3Calls(c *s3.Client) s3Calls {
	return s3Calls{HeadBucket: c.HeadBucket, GetObject: c.GetObject, listObjects: c.ListObjectsV2}
}

// ListObjectsV2 lists the outputs of a job.
func (c s3Calls) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, options ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return c.listObjects(ctx, in, options...)
}

// stsCalls are those of STS.
type stsCalls struct {
	GetCallerIdentity call[sts.GetCallerIdentityInput, sts.Options, sts.GetCallerIdentityOutput]

	assumeRole call[sts.AssumeRoleInput, sts.Options, sts.AssumeRoleOutput]
}

func newSTSCalls(c *sts.Client) stsCalls {
	return stsCalls{GetCallerIdentity: c.GetCallerIdentity, assumeRole: c.AssumeRole}
}

// AssumeRole is what the SDK's provider of such credentials calls.
func (c stsCalls) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput, options ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	return c.assumeRole(ctx, in, options...)
}

// ecrCalls are those of the registry.
type ecrCalls struct {
	CreateRepository      call[ecr.CreateRepositoryInput, ecr.Options, ecr.CreateRepositoryOutput]
	GetAuthorizationToken call[ecr.GetAuthorizationTokenInput, ecr.Options, ecr.GetAuthorizationTokenOutput]
}

func newECRCalls(c *ecr.Client) ecrCalls {
	return ecrCalls{CreateRepository: c.CreateRepository, GetAuthorizationToken: c.GetAuthorizationToken}
}
