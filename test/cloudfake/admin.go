package cloudfake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// AdminPath begins the paths that are no part of a service.
const AdminPath = "/_fake/"

// Job is what a fake tells of a job, behind everybody's back.
type Job struct {
	Name string `json:"name"`
	// Key, Token and Step are from the job's tags.
	Key   string `json:"key"`
	Token string `json:"token,omitempty"`
	Step  string `json:"step,omitempty"`
	// State is in the service's own words; Over: nothing of it runs.
	State string `json:"state"`
	Over  bool   `json:"over"`
	// Starts counts how often its command was started, all nodes together.
	Starts int `json:"starts"`
	// PIDs of what runs now.
	PIDs []int `json:"pids,omitempty"`
	// Request is the native request that made it.
	Request json.RawMessage `json:"request,omitempty"`
}

// Admin is the part of a fake that tests talk to.
type Admin struct {
	Plan *Plan
	// Jobs lists all jobs, in order of creation.
	Jobs func() []Job
	// Delete ends a job and forgets it, as somebody with rights might do.
	Delete func(name string) error
	// Set changes what only this service has, by name ("account"); nil = nothing.
	Set func(name, value string) error
}

// Handler serves the paths below AdminPath.
func (a *Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+AdminPath+"rules", func(w http.ResponseWriter, r *http.Request) {
		take(w, r, func(rule Rule) error { a.Plan.Add(rule); return nil })
	})
	mux.HandleFunc("POST "+AdminPath+"lives", func(w http.ResponseWriter, r *http.Request) {
		take(w, r, func(rule LifeRule) error { a.Plan.AddLife(rule); return nil })
	})
	mux.HandleFunc("DELETE "+AdminPath+"rules", func(w http.ResponseWriter, _ *http.Request) {
		a.Plan.Clear()
		give(w, struct{}{})
	})
	mux.HandleFunc("GET "+AdminPath+"calls", func(w http.ResponseWriter, _ *http.Request) { give(w, a.Plan.Calls()) })
	mux.HandleFunc("GET "+AdminPath+"jobs", func(w http.ResponseWriter, _ *http.Request) { give(w, a.Jobs()) })
	mux.HandleFunc("DELETE "+AdminPath+"jobs/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Delete(r.PathValue("name")); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		give(w, struct{}{})
	})
	mux.HandleFunc("POST "+AdminPath+"set/{name}", func(w http.ResponseWriter, r *http.Request) {
		take(w, r, func(value string) error {
			if a.Set == nil {
				return errors.New("there is nothing to set")
			}
			return a.Set(r.PathValue("name"), value)
		})
	})
	return mux
}

func take[T any](w http.ResponseWriter, r *http.Request, use func(T) error) {
	var v T
	err := json.NewDecoder(r.Body).Decode(&v)
	if err == nil {
		err = use(v)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	give(w, struct{}{})
}

func give(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a caller that went away needs no answer
}

// Client talks to an Admin.
type Client struct {
	// URL of the fake, without AdminPath.
	URL  string
	http http.Client
}

// Add adds a rule for calls.
func (c *Client) Add(ctx context.Context, r Rule) error { return c.do(ctx, "POST", "rules", r, nil) }

// AddLife adds a rule for jobs.
func (c *Client) AddLife(ctx context.Context, r LifeRule) error {
	return c.do(ctx, "POST", "lives", r, nil)
}

// Clear drops all rules.
func (c *Client) Clear(ctx context.Context) error { return c.do(ctx, "DELETE", "rules", nil, nil) }

// Calls returns the counters by operation.
func (c *Client) Calls(ctx context.Context) (calls map[string]int, err error) {
	return calls, c.do(ctx, "GET", "calls", nil, &calls)
}

// Jobs lists all jobs.
func (c *Client) Jobs(ctx context.Context) (jobs []Job, err error) {
	return jobs, c.do(ctx, "GET", "jobs", nil, &jobs)
}

// ByKey lists the jobs of a key.
func (c *Client) ByKey(ctx context.Context, key string) ([]Job, error) {
	all, err := c.Jobs(ctx)
	var found []Job
	for _, j := range all {
		if j.Key == key {
			found = append(found, j)
		}
	}
	return found, err
}

// Delete ends a job and forgets it.
func (c *Client) Delete(ctx context.Context, name string) error {
	return c.do(ctx, "DELETE", "jobs/"+url.PathEscape(name), nil, nil)
}

// Set changes what only this service has.
func (c *Client) Set(ctx context.Context, name, value string) error {
	return c.do(ctx, "POST", "set/"+name, value, nil)
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) do(ctx context.Context, method, path string, send, into any) error {
	var body io.Reader
	if send != nil {
		data, err := json.Marshal(send)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.URL+AdminPath+path, body)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, strings.TrimSpace(string(data)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}
