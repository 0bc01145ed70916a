package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wire is the network: it keeps what was sent and answers from a list, at last
// with success.
type wire struct {
	sent    []*http.Request
	replies []reply
}

type reply struct {
	status int
	body   string
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.sent = append(w.sent, r)
	a := reply{http.StatusOK, "<ListBucketResult></ListBucketResult>"}
	if len(w.replies) > 0 {
		a, w.replies = w.replies[0], w.replies[1:]
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// loadConfig is the SDK's config of a test, with what a person has in ~/.aws/config.
func loadConfig(t *testing.T, w *wire, region, profile string) aws.Config {
	path := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(path, []byte("[default]\n"+profile), 0o600))
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region), config.WithSharedConfigFiles([]string{path}),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIA", "secret", "token")))
	require.NoError(t, err)
	cfg.HTTPClient = w
	return cfg
}

// TestObjectsAreAskedForAsTheSDKDoes: where each request goes, and what its
// signature is for, is what the SDK's own client does.
func TestObjectsAreAskedForAsTheSDKDoes(t *testing.T) {
	for name, c := range map[string]struct {
		region, bucket, profile, at string
		env                         [2]string
	}{
		"plain":               {},
		"China":               {region: "cn-north-1"},
		"GovCloud, FIPS":      {region: "us-gov-west-1", profile: "use_fips_endpoint = true\n"},
		"dual stack":          {profile: "use_dualstack_endpoint = true\n"},
		"both":                {region: "us-east-1", profile: "use_dualstack_endpoint = true\nuse_fips_endpoint = true\n"},
		"a dot in its name":   {bucket: "my.bucket"},
		"directory bucket":    {region: "us-west-2", bucket: "mine--usw2-az1--x-s3", profile: "s3_disable_express_session_auth = true\n"},
		"operator's endpoint": {at: "http://127.0.0.1:9000"},
		"endpoint, path":      {at: "https://minio.example/s3/"},
		"endpoint of all":     {env: [2]string{"AWS_ENDPOINT_URL", "http://127.0.0.1:9001"}},
		"endpoint of S3":      {env: [2]string{"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9002"}},
		"profile's endpoint":  {profile: "services = here\n[services here]\ns3 =\n  endpoint_url = http://127.0.0.1:9003\n"},
		"ignored endpoint":    {env: [2]string{"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9002"}, profile: "ignore_configured_endpoint_urls = true\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			region, bucket := or(text(c.region), aws.String("eu-west-1")), or(text(c.bucket), aws.String("my-bucket"))
			w := &wire{}
			cfg := loadConfig(t, w, *region, c.profile)
			ours, err := newObjects(t.Context(), cfg, text(c.at))
			require.NoError(t, err)
			sdk := s3.NewFromConfig(cfg, func(o *s3.Options) {
				o.BaseEndpoint = or(text(c.at), o.BaseEndpoint)
				o.UsePathStyle, o.DisableLogOutputChecksumValidationSkipped = o.BaseEndpoint != nil, true
			})
			for _, key := range []string{"a/b.txt", "a b/\u00fc+&=%2F/~c'(d)*e?.txt", "/a//b/", "../x", "-/\u2028"} {
				w.sent = nil
				_, err = ours.get(t.Context(), *bucket, key, "bytes=5-")
				require.NoError(t, err)
				_, err = sdk.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key), Range: aws.String("bytes=5-")})
				require.NoError(t, err)
				same(t, w.sent)
			}
			w.sent = nil
			require.NoError(t, ours.list(t.Context(), *bucket, "a b/+", func(object) bool { return true }))
			_, err = sdk.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("a b/+")})
			require.NoError(t, err)
			same(t, w.sent)
			w.sent = nil
			require.NoError(t, ours.head(t.Context(), *bucket))
			_, err = sdk.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket})
			require.NoError(t, err)
			same(t, w.sent)
		})
	}
}

func same(t *testing.T, sent []*http.Request) {
	t.Helper()
	require.Len(t, sent, 2)
	ours, theirs := sent[0], sent[1]
	assert.Equal(t, theirs.Method, ours.Method)
	assert.Equal(t, theirs.URL.Scheme+"://"+theirs.URL.Host+theirs.URL.EscapedPath(), ours.URL.Scheme+"://"+ours.URL.Host+ours.URL.EscapedPath())
	query := theirs.URL.Query()
	query.Del("x-id") // the operation's name, for the eyes of the service's makers
	assert.Equal(t, query, ours.URL.Query())
	for _, name := range []string{"Range", "X-Amz-Content-Sha256", "Accept-Encoding", "X-Amz-Security-Token"} {
		assert.Equal(t, theirs.Header.Get(name), ours.Header.Get(name), name)
	}
	scope := regexp.MustCompile(`Credential=AKIA/\d{8}/([^,]+),`)
	assert.Equal(t, scope.FindStringSubmatch(theirs.Header.Get("Authorization"))[1:], scope.FindStringSubmatch(ours.Header.Get("Authorization"))[1:])
}

// TestObjectsAreAskedForAgain: what passes is tried again, a refusal is not, and
// each is told with S3's own word.
func TestObjectsAreAskedForAgain(t *testing.T) {
	slow := reply{http.StatusServiceUnavailable, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"}
	for name, c := range map[string]struct {
		replies []reply
		sent    int
		code    string
	}{
		"slow down":        {[]reply{slow, slow}, 3, ""},
		"always slow down": {[]reply{slow, slow, slow, slow}, 3, "SlowDown"},
		"no body":          {[]reply{{http.StatusForbidden, ""}}, 1, "Forbidden"},
		"no XML":           {[]reply{{http.StatusMovedPermanently, "<html>"}}, 1, "MovedPermanently"},
		"denied":           {[]reply{{http.StatusForbidden, "<Error><Code>AccessDenied</Code></Error>"}}, 1, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{replies: c.replies}
			o, err := newObjects(t.Context(), loadConfig(t, w, "eu-west-1", ""), nil)
			require.NoError(t, err)
			o.again = retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
			_, err = o.get(t.Context(), "b", "k", "")
			assert.Equal(t, c.code != "", err != nil)
			if c.code != "" {
				assert.Equal(t, c.code, codeOf(err))
			}
			assert.Len(t, w.sent, c.sent)
		})
	}
}

// TestObjectsAreListed: a page that continues is followed, and the caller may have
// enough.
func TestObjectsAreListed(t *testing.T) {
	page := func(key, next string) reply {
		return reply{http.StatusOK, `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>` +
			`<Contents><Key>` + key + `</Key><ETag>&quot;e&quot;</ETag><Size>5</Size><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>` + next + `</ListBucketResult>`}
	}
	w := &wire{replies: []reply{page("a&amp;b", "<NextContinuationToken>t+/=</NextContinuationToken>"), page("c", "")}}
	o, err := newObjects(t.Context(), loadConfig(t, w, "eu-west-1", ""), nil)
	require.NoError(t, err)
	var got []object
	require.NoError(t, o.list(t.Context(), "b", "", func(x object) bool { got = append(got, x); return true }))
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	assert.Equal(t, []object{{Key: "a&b", ETag: `"e"`, Size: 5, LastModified: at}, {Key: "c", ETag: `"e"`, Size: 5, LastModified: at}}, got)
	assert.Equal(t, "t+/=", w.sent[1].URL.Query().Get("continuation-token"))
	w.replies = []reply{page("a", "<NextContinuationToken>t</NextContinuationToken>")}
	require.NoError(t, o.list(t.Context(), "b", "", func(object) bool { return false }))
	assert.Len(t, w.sent, 3)
}
