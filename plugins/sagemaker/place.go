package main

import (
	"fmt"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// place is where a job runs. Before a login it is not known, and texts say so.
type place struct {
	partition, account, region string
}

const scopePrefix = "sagemaker:"

// placeOf reads a scope.
func placeOf(s pluginsdk.Scope) place {
	parts := strings.Split(strings.TrimPrefix(s.ID, scopePrefix), ":")
	if len(parts) != 3 || !strings.HasPrefix(s.ID, scopePrefix) {
		return place{}
	}
	return place{partition: parts[0], account: parts[1], region: parts[2]}
}

func (p place) known() bool { return p.account != "" }

func (p place) scope() pluginsdk.Scope {
	return pluginsdk.Scope{
		ID:      scopePrefix + p.partition + ":" + p.account + ":" + p.region,
		Display: fmt.Sprintf("AWS account %s, %s", p.account, p.region),
	}
}

// role is the ARN of the job's role.
func (p place) role(c Config) string {
	switch {
	case strings.HasPrefix(c.Role, "arn:"):
		return c.Role
	case !p.known():
		return pluginsdk.KnownAtLaunch("the ARN of the role " + c.Role + " in the account of the login")
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", p.partition, p.account, c.Role)
}

// output is the S3 URI below which SageMaker makes JOB/output.
func (p place) output(c Config, s Settings) string {
	if s.OutputPath != "" {
		return strings.TrimRight(s.OutputPath, "/")
	}
	bucket := c.BucketName
	switch {
	case bucket != "":
	case p.known():
		bucket = "sagemaker-" + p.region + "-" + p.account
	default:
		return pluginsdk.KnownAtLaunch("s3://sagemaker-REGION-ACCOUNT/" + c.BucketPrefix + " of the login")
	}
	return strings.TrimRight("s3://"+bucket+"/"+c.BucketPrefix, "/")
}

// url is the job's page in the console.
func (p place) url(job string) string {
	if !p.known() {
		return ""
	}
	domain := "aws.amazon.com"
	switch p.partition {
	case "aws-cn":
		domain = "amazonaws.cn"
	case "aws-us-gov":
		domain = "amazonaws-us-gov.com"
	}
	return fmt.Sprintf("https://%s.console.%s/sagemaker/home?region=%s#/jobs/%s", p.region, domain, p.region, job)
}

// arn is the job's ARN.
func (p place) arn(job string) string {
	return fmt.Sprintf("arn:%s:sagemaker:%s:%s:training-job/%s", p.partition, p.region, p.account, job)
}

// placeOfARN is where the thing of an ARN is.
func placeOfARN(arn string) place {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return place{}
	}
	return place{partition: parts[1], account: parts[4], region: parts[3]}
}
