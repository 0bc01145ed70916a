package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Two questions of preflight go to services of which nothing else is needed:
// their SDK packages would make this binary some MB larger. The login, the
// signature and the HTTP client are the SDK's.

// maxAnswer bounds an answer.
const maxAnswer = 4 << 20

// callError is a refusal.
type callError struct {
	status  int
	code    string
	message string
}

func (e *callError) Error() string {
	return fmt.Sprintf("%s: %s (HTTP %d)", e.code, e.message, e.status)
}

// query calls a service of the Query protocol.
func (cl *client) query(ctx context.Context, p place, service string, form url.Values, into any) error {
	data, err := cl.send(ctx, p, service, "application/x-www-form-urlencoded", "", []byte(form.Encode()))
	if err != nil {
		return err
	}
	return xml.Unmarshal(data, into)
}

// json calls a service of the JSON 1.1 protocol.
func (cl *client) json(ctx context.Context, p place, service, target string, in, into any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	data, err := cl.send(ctx, p, service, "application/x-amz-json-1.1", target, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// address is where a service is, and the region that its signature names. IAM
// has one address for a whole partition
// (https://docs.aws.amazon.com/general/latest/gr/iam-service.html).
func (cl *client) address(p place, service string) (address, region string) {
	region = p.region
	if service == "iam" {
		switch p.partition {
		case "aws-cn":
			address, region = "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"
		case "aws-us-gov":
			address, region = "https://iam.us-gov.amazonaws.com", "us-gov-west-1"
		default:
			address, region = "https://iam.amazonaws.com", "us-east-1"
		}
	} else {
		address = "https://" + service + "." + region + ".amazonaws.com"
		if p.partition == "aws-cn" {
			address += ".cn"
		}
	}
	if own := or(cl.endpoint(service), text(os.Getenv("AWS_ENDPOINT_URL"))); own != nil {
		address = *own
	}
	return address, region
}

func (cl *client) send(ctx context.Context, p place, service, contentType, target string, body []byte) ([]byte, error) {
	address, region := cl.address(p, service)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	login, err := cl.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, login, r, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		return nil, err
	}
	answer, err := cl.aws.HTTPClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, refusal(answer.StatusCode, data)
	}
	return data, nil
}

// refusal reads an error of either protocol.
func refusal(status int, data []byte) error {
	e := &callError{status: status, code: "Unknown"}
	var x struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	var j struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if xml.Unmarshal(data, &x) == nil && x.Code != "" {
		e.code, e.message = x.Code, x.Message
	} else if json.Unmarshal(data, &j) == nil && j.Type != "" {
		e.code, e.message = j.Type, j.Message
	}
	return e
}
