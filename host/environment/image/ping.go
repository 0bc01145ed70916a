package image

import (
	"errors"
	"net/http"
	"slices"
)

// pingPath is what the library asks first of all: GET /v2/ tells which scheme a
// registry speaks and which credentials it wants.
const pingPath = "/v2/"

// pingAnswer is what a registry answered to that. It is remembered from build to
// build, since it hardly ever changes and costs a round trip each time (two where
// the library tries HTTPS first). It holds no secret. See connector.forget for the
// registry that changed.
type pingAnswer struct {
	Scheme string `json:"scheme"`
	Code   int    `json:"code"`
	// Challenges are its WWW-Authenticate.
	Challenges []string `json:"challenges,omitempty"`
	// Whole: it takes a blob in one piece only.
	Whole bool `json:"whole,omitempty"`

	asked bool // in this build
}

// errOtherScheme makes the library try the scheme that the registry speaks.
var errOtherScheme = errors.New("the registry spoke the other scheme the last time")

func (c *connector) pingFile(host string) string {
	return c.cache.path("registries", hexOf(keyOf(host)))
}

// ping answers the first question from memory, or asks it.
func (c *connector) ping(req *http.Request) (*http.Response, error) {
	if a := c.answered(req.URL.Host); a != nil {
		if a.Scheme != req.URL.Scheme {
			return nil, errOtherScheme
		}
		return a.response(req), nil
	}
	resp, err := c.inner().RoundTrip(req)
	if err == nil && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized) {
		a := &pingAnswer{Scheme: req.URL.Scheme, Code: resp.StatusCode, Challenges: resp.Header.Values("WWW-Authenticate"), asked: true}
		c.mu.Lock()
		c.pings[req.URL.Host] = a
		c.mu.Unlock()
		c.keep(req.URL.Host, a)
	}
	return resp, err
}

func (c *connector) keep(host string, a *pingAnswer) {
	if c.cache != nil && c.keeps {
		_ = c.cache.writeJSON(c.pingFile(host), a) // a failure costs a round trip, no more
	}
}

// answered is what a registry answered, nil when that is not known.
func (c *connector) answered(host string) *pingAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.pings[host]; ok {
		return a
	}
	a := &pingAnswer{}
	if c.cache == nil || !c.cache.readJSON(c.pingFile(host), a) || a.Code == 0 || a.Scheme == "" {
		a = nil
	}
	c.pings[host] = a
	return a
}

// forget says whether what was known of a registry was of an earlier build, and may
// be why a request failed. It is asked anew then, by the first of several who ask.
func (c *connector) forget(host string, used *pingAnswer) bool {
	if used == nil || used.asked {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pings[host] == used {
		c.pings[host] = nil
	}
	return true
}

// anonymous says whether a registry wants no credentials of anybody.
func (c *connector) anonymous(host string) bool {
	a := c.answered(host)
	return a != nil && a.Code == http.StatusOK
}

// whole says whether a registry takes blobs in one piece only; setWhole notes it.
func (c *connector) whole(host string) bool {
	a := c.answered(host)
	return a != nil && a.Whole
}

func (c *connector) setWhole(host string) {
	a := c.answered(host)
	if a == nil {
		return
	}
	c.mu.Lock()
	changed := *a
	changed.Whole = true
	c.pings[host] = &changed
	c.mu.Unlock()
	c.keep(host, &changed)
}

func (a *pingAnswer) response(req *http.Request) *http.Response {
	h := http.Header{}
	if len(a.Challenges) > 0 {
		h["Www-Authenticate"] = slices.Clone(a.Challenges)
	}
	return &http.Response{StatusCode: a.Code, Status: http.StatusText(a.Code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody, Request: req}
}
