package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stephost/stephost/pluginsdk"
)

// The SDK's client of S3 hands itself to an interface when it is made
// (s3.finalizeExpressCredentials), so that the linker keeps its hundred operations,
// 4.3 MB, for the three that are used here. These are made without it; where S3 is,
// the login, the signature, the HTTP client and what is tried again are the SDK's.

// objects is S3 for one login. Its requests only read.
type objects struct {
	aws   aws.Config
	rules s3.EndpointResolverV2
	again aws.Retryer
	// at is an endpoint that a person named, or nil.
	at         *string
	fips, dual bool
}

func newObjects(ctx context.Context, cfg aws.Config, at *string) (objects, error) {
	fips, _, err1 := first(ctx, cfg, fipsSource.GetUseFIPSEndpoint)
	dual, _, err2 := first(ctx, cfg, dualSource.GetUseDualStackEndpoint)
	at, err3 := endpointOf(ctx, cfg, s3.ServiceID, at)
	return objects{
		aws: cfg, rules: s3.NewDefaultEndpointResolverV2(), again: retry.NewStandard(), at: at,
		fips: fips == aws.FIPSEndpointStateEnabled, dual: dual == aws.DualStackEndpointStateEnabled,
	}, errors.Join(err1, err2, err3)
}

// head tells whether the bucket is there.
func (o objects) head(ctx context.Context, bucket string) error {
	answer, err := o.ask(ctx, http.MethodHead, bucket, "", nil, nil)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// get reads an object; byteRange may be "".
func (o objects) get(ctx context.Context, bucket, key, byteRange string) (*http.Response, error) {
	h := http.Header{}
	if byteRange != "" {
		h.Set("Range", byteRange)
	}
	return o.ask(ctx, http.MethodGet, bucket, key, nil, h)
}

// object is one of a list.
type object struct {
	Key, ETag    string
	Size         int64
	LastModified time.Time
}

// list calls each for all objects whose key begins with prefix, until it says
// false.
func (o objects) list(ctx context.Context, bucket, prefix string, each func(object) bool) error {
	q := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	for {
		answer, err := o.ask(ctx, http.MethodGet, bucket, "", q, nil)
		if err != nil {
			return err
		}
		var page struct {
			Contents              []object
			NextContinuationToken string
		}
		err = xml.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&page)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return err
		}
		for _, x := range page.Contents {
			if !each(x) {
				return nil
			}
		}
		if page.NextContinuationToken == "" {
			return nil
		}
		q.Set("continuation-token", page.NextContinuationToken)
	}
}

// ask sends a request until it is answered, as often and as late as the SDK would.
func (o objects) ask(ctx context.Context, method, bucket, key string, q url.Values, h http.Header) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		answer, err := o.send(ctx, method, bucket, key, q, h)
		if err == nil || attempt == o.again.MaxAttempts() || ctx.Err() != nil || !o.again.IsErrorRetryable(err) {
			return answer, err
		}
		pause, bad := o.again.RetryDelay(attempt, err)
		if bad != nil || smithytime.SleepWithContext(ctx, pause) != nil {
			return nil, err
		}
	}
}

func (o objects) send(ctx context.Context, method, bucket, key string, q url.Values, h http.Header) (*http.Response, error) {
	at, err := o.rules.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: aws.String(bucket), Region: aws.String(o.aws.Region), UseFIPS: aws.Bool(o.fips), UseDualStack: aws.Bool(o.dual),
		Endpoint: o.at, ForcePathStyle: aws.Bool(o.at != nil), // an emulator has no host name for each bucket
		// A session would save time over thousands of requests to a directory bucket.
		DisableS3ExpressSessionAuth: aws.Bool(true),
	})
	if err != nil {
		return nil, pluginsdk.Config("", "where the bucket %s is: %w", bucket, err)
	}
	service, region := "s3", o.aws.Region
	if schemes, _ := smithyauth.GetAuthOptions(&at.Properties); len(schemes) > 0 {
		service, _ = smithyhttp.GetSigV4SigningName(&schemes[0].SignerProperties)
		region, _ = smithyhttp.GetSigV4SigningRegion(&schemes[0].SignerProperties)
	}
	to := at.URI
	to.Path, to.RawQuery = smithyhttp.JoinPath(at.URI.Path, "/"+key), q.Encode()
	to.RawPath = smithyhttp.JoinPath(at.URI.EscapedPath(), httpbinding.EscapePath("/"+key, false))
	r, err := http.NewRequestWithContext(ctx, method, to.String(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, at.Headers)
	maps.Copy(r.Header, h)
	sum := sha256.Sum256(nil)
	nothing := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", nothing)
	r.Header.Set("Accept-Encoding", "identity") // else what is stored as gzip arrives unpacked
	login, err := o.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	plain := func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true } // S3 alone wants that
	if err := v4.NewSigner(plain).SignHTTP(ctx, login, r, nothing, service, region, time.Now()); err != nil {
		return nil, err
	}
	answer, err := o.aws.HTTPClient.Do(r)
	if err != nil {
		return nil, &smithyhttp.RequestSendError{Err: err}
	}
	if answer.StatusCode/100 != 2 {
		return nil, refusedObject(answer)
	}
	return answer, nil
}

// refusedObject reads an error of S3, in the SDK's types. The answer to a HEAD
// has no body: its status is the code.
func refusedObject(answer *http.Response) error {
	var said struct{ Code, Message string }
	data, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what there is must do
	if xml.Unmarshal(data, &said) != nil || said.Code == "" {
		said.Code = strings.ReplaceAll(http.StatusText(answer.StatusCode), " ", "")
	}
	_ = answer.Body.Close()
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: answer}, Err: &smithy.GenericAPIError{Code: said.Code, Message: said.Message},
	}
}
