package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer bounds an answer of a JSON API.
const maxAnswer = 16 << 20

// request of a JSON API.
type request struct {
	method, url string
	body        any    // JSON
	raw         []byte // instead of body
	contentType string // of raw
	quota       string
}

// HTTPError is the answer of a JSON API that refused.
type HTTPError struct {
	Code    int
	Message string
	Reason  string
}

// Error returns what the service said.
func (e *HTTPError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("HTTP status %d", e.Code)
	}
	return fmt.Sprintf("HTTP status %d: %s", e.Code, e.Message)
}

// IsHTTP tells whether err is an answer with this code.
func IsHTTP(err error, code int) bool {
	var e *HTTPError
	return errors.As(err, &e) && e.Code == code
}

// call makes a call as the login. into is a *[]byte for the answer as it is, a
// pointer for JSON, or nil.
func (c *Client) call(ctx context.Context, r request, into any) (http.Header, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	r.quota = c.login.quota
	return send(ctx, c.http, r, token, into)
}

func exchange(ctx context.Context, client *http.Client, r request, token string, into any) error {
	_, err := send(ctx, client, r, token, into)
	return err
}

func send(ctx context.Context, client *http.Client, r request, token string, into any) (http.Header, error) {
	var body io.Reader
	switch {
	case r.raw != nil:
		body = bytes.NewReader(r.raw)
	case r.body != nil:
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body, r.contentType = bytes.NewReader(text), "application/json"
	}
	q, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+token)
	if r.contentType != "" {
		q.Header.Set("Content-Type", r.contentType)
	}
	if r.quota != "" {
		q.Header.Set("X-Goog-User-Project", r.quota)
	}
	resp, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp.StatusCode, data)
	}
	switch into := into.(type) {
	case nil:
	case *[]byte:
		*into = data
	default:
		if err := json.Unmarshal(data, into); err != nil {
			return nil, fmt.Errorf("%s %s: an answer that is no JSON: %w", r.method, r.url, err)
		}
	}
	return resp.Header, nil
}

// refusal reads the error of a JSON API, which has one of two forms.
func refusal(code int, data []byte) error {
	e := &HTTPError{Code: code}
	var body struct {
		Error struct {
			Message string `json:"message"`
			Status  string `json:"status"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	if json.Unmarshal(data, &body) == nil && body.Error.Message != "" {
		e.Message, e.Reason = body.Error.Message, body.Error.Status
		if e.Reason == "" && len(body.Error.Errors) > 0 {
			e.Reason = body.Error.Errors[0].Reason
		}
		return e
	}
	const most = 200
	e.Message = strings.TrimSpace(string(data[:min(len(data), most)]))
	return e
}
