package standalone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Limits of a call.
const (
	// callBound is for one answer of a UI or of the REST API: both answer from
	// memory.
	callBound = 15 * time.Second
	// createBound is for a creation: below the contract's 60 s for a Submit.
	createBound = 40 * time.Second
	// maxAnswer bounds what is read: a master with thousands of applications tells
	// some MiB.
	maxAnswer = 32 << 20
)

// ErrNotSent: nothing was sent.
var ErrNotSent = errors.New("no connection to the REST API")

// RefusedError is an answer that says no.
type RefusedError struct {
	Status  int
	Message string
}

func (e *RefusedError) Error() string { return e.Message }

// Client asks one cluster.
type Client struct {
	// REST is the address of the REST API, Token a bearer token for it or "".
	REST, Token string
	// HTTP is for everything but creations.
	HTTP *http.Client
}

// Request creates a driver. All fields but the environment may be shown.
type Request struct {
	Action        string            `json:"action"`
	AppResource   string            `json:"appResource"`
	MainClass     string            `json:"mainClass"`
	AppArgs       []string          `json:"appArgs"`
	SparkVersion  string            `json:"clientSparkVersion"`
	Properties    map[string]string `json:"sparkProperties"`
	EnvironmentOf map[string]string `json:"environmentVariables"`
}

// answer is what the REST API says to everything.
type answer struct {
	Action       string `json:"action"`
	Success      bool   `json:"success"`
	Message      string `json:"message"`
	SubmissionID string `json:"submissionId"`
	State        string `json:"driverState"`
	WorkerID     string `json:"workerId"`
	WorkerHost   string `json:"workerHostPort"`
}

// Driver is what the master knows about one. State "" = it knows none of that ID.
type Driver struct {
	State, Message, WorkerID, WorkerHostPort string
}

// Create starts a driver and returns its ID.
func (c *Client) Create(ctx context.Context, r Request) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, createBound)
	defer cancel()
	body, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	alone := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	a, err := c.rest(ctx, alone, http.MethodPost, "create", body)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return "", fmt.Errorf("%w: %w", ErrNotSent, err)
	case err != nil:
		return "", err
	case !a.Success:
		return "", &RefusedError{Status: http.StatusOK, Message: "the master refused the application: " + a.Message}
	case a.SubmissionID == "":
		return "", errors.New("the REST API named no driver")
	}
	return a.SubmissionID, nil
}

// Driver asks for the state of a driver.
func (c *Client) Driver(ctx context.Context, id string) (Driver, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	a, err := c.rest(ctx, c.HTTP, http.MethodGet, "status/"+id, nil)
	if err != nil {
		return Driver{}, err
	}
	if !a.Success && a.State == "" && a.Message != "" {
		// A master that stands by, or recovers, answers with a reason and no state.
		return Driver{}, fmt.Errorf("the master does not say: %s", a.Message)
	}
	d := Driver{State: a.State, Message: a.Message, WorkerID: a.WorkerID, WorkerHostPort: a.WorkerHost}
	if d.State == "NOT_FOUND" || !a.Success {
		d.State = ""
	}
	return d, nil
}

// Kill ends a driver. What is over already is no error.
func (c *Client) Kill(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	_, err := c.rest(ctx, c.HTTP, http.MethodPost, "kill/"+id, []byte{})
	return err
}

func (c *Client) rest(ctx context.Context, h *http.Client, method, path string, body []byte) (answer, error) {
	var a answer
	req, err := http.NewRequestWithContext(ctx, method, c.REST+"/v1/submissions/"+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	data, status, err := do(h, req)
	if err != nil {
		return a, err
	}
	jsonErr := json.Unmarshal(data, &a)
	if status >= 400 && status < 500 {
		if a.Message == "" {
			a.Message = http.StatusText(status)
		}
		return a, &RefusedError{Status: status, Message: "the REST API refused the request: " + a.Message}
	}
	if status != http.StatusOK {
		return a, fmt.Errorf("%s answered %d: %s", req.URL, status, a.Message)
	}
	if jsonErr != nil {
		return a, fmt.Errorf("%s did not answer as a REST API of Spark: %w", req.URL, jsonErr)
	}
	return a, nil
}

// do reads a whole answer.
func do(h *http.Client, req *http.Request) ([]byte, int, error) {
	resp, err := h.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, 0, fmt.Errorf("reading the answer of %s: %w", req.URL.Redacted(), err)
	}
	return data, resp.StatusCode, nil
}

// Get reads a page of a UI.
func (c *Client) Get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	data, status, err := do(c.HTTP, req)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", url, status)
	}
	return data, nil
}
