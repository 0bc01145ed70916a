package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	mlfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4/fake"

	"github.com/stephost/stephost/test/cloudfake"
)

// Options of a Server.
type Options struct {
	// Dir is for the jobs' files.
	Dir string
	// Shim is a program that stands for the init process of built images.
	Shim string
	// Grace is the time between SIGTERM and SIGKILL.
	Grace time.Duration
	// Step is how long each state before the start lasts.
	Step time.Duration
}

// Server is one subscription with one workspace of any name.
type Server struct {
	o      Options
	runner cloudfake.Runner
	plan   cloudfake.Plan
	lives  sync.WaitGroup
	stop   chan struct{}
	sdk    *mlfake.ServerFactoryTransport
	table  []route

	mu           sync.Mutex
	closed       bool
	workspaceID  string
	jobs         map[string]*job
	all          []*job
	environments map[string]*ml.EnvironmentVersion // by name/version
	codes        map[string]*ml.CodeVersion
	computes     map[string]*ml.ComputeResource
	signature    int // rises: older ones are no longer good
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{
		o: o, stop: make(chan struct{}), workspaceID: "11111111-2222-3333-4444-555555555555",
		jobs: map[string]*job{}, codes: map[string]*ml.CodeVersion{}, computes: map[string]*ml.ComputeResource{},
		environments: map[string]*ml.EnvironmentVersion{"sklearn/7": {}, "sklearn/6": {}},
	}
	s.addComputes()
	s.sdk, s.table = mlfake.NewServerFactoryTransport(s.factory()), s.routes()
	return s
}

// Service is what cloudfake.Main serves.
func (s *Server) Service() *cloudfake.Service {
	return &cloudfake.Service{
		Handler: s,
		Admin: &cloudfake.Admin{Plan: &s.plan, Jobs: s.adminJobs, Delete: s.adminDelete, Set: func(name, value string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch name {
			case "workspace": // it was deleted and made again
				s.workspaceID = value
			case "signature": // those that were given out have ended
				s.signature++
			default:
				return fmt.Errorf("there is no %q", name)
			}
			return nil
		}},
		Close: s.Close,
	}
}

// Close ends every job.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true // a call that is still on its way begins no life
	s.mu.Unlock()
	close(s.stop)
	err := s.runner.Close()
	s.lives.Wait()
	return err
}

// route is a call: its name for faults and counters, and who answers. name is
// that of the SDK's client for what its own fake servers answer.
type route struct {
	method  string
	pattern *regexp.Regexp
	op      string
	answer  func(w http.ResponseWriter, r *http.Request, parts []string)
}

func (s *Server) routes() []route {
	at := func(method, pattern, op string, answer func(http.ResponseWriter, *http.Request, []string)) route {
		return route{method, regexp.MustCompile("^" + pattern + "$"), op, answer}
	}
	const w = `/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+`
	const l = `/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+`
	return []route{
		at("GET", w, "WorkspacesClient.Get", nil),
		at("GET", w+`/jobs`, "JobsClient.List", s.list),
		at("GET", w+`/jobs/[^/]+`, "JobsClient.Get", nil),
		at("PUT", w+`/jobs/[^/]+`, "JobsClient.CreateOrUpdate", nil),
		at("POST", w+`/jobs/([^/]+)/cancel`, "JobsClient.BeginCancel", s.cancel),
		at("GET", w+`/environments/[^/]+`, "EnvironmentContainersClient.Get", nil),
		at("GET", w+`/environments/[^/]+/versions/[^/]+`, "EnvironmentVersionsClient.Get", nil),
		at("PUT", w+`/environments/[^/]+/versions/[^/]+`, "EnvironmentVersionsClient.CreateOrUpdate", nil),
		at("GET", w+`/codes/[^/]+/versions/[^/]+`, "CodeVersionsClient.Get", nil),
		at("PUT", w+`/codes/[^/]+/versions/[^/]+`, "CodeVersionsClient.CreateOrUpdate", nil),
		at("POST", w+`/codes/[^/]+/versions/[^/]+/startPendingUpload`, "CodeVersionsClient.CreateOrGetStartPendingUpload", nil),
		at("GET", w+`/computes/[^/]+`, "ComputeClient.Get", nil),
		at("PUT", w+`/computes/([^/]+)`, "ComputeClient.BeginCreateOrUpdate", s.makeCompute),
		at("GET", l+`/vmSizes`, "VirtualMachineSizesClient.List", nil),
		at("GET", l+`/usages`, "UsagesClient.List", s.usages),
		at("GET", `/history/v1\.0`+w+`/runs/([^/]+)/details`, "History.Details", s.details),
		at("GET", `/history/v1\.0`+w+`/runs/([^/]+)/artifacts/prefix/contentinfo`, "History.Artifacts", s.artifacts),
		at("GET", `/blob/([^/]+)/([0-9]+)`, "Blob.Get", s.getBlob),
		at("GET", `/artifact/([^/]+)/(.+)`, "Blob.GetArtifact", s.getArtifact),
		at("PUT", `/upload/([^/]+)/(.+)`, "Blob.Put", s.putBlob),
		at("POST", `/[^/]+/oauth2/v2\.0/token`, "Token", s.token),
		at("POST", `/oauth2/exchange`, "Exchange", s.exchange),
	}
}

// ServeHTTP finds out what a call is.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	for _, one := range s.table {
		parts := one.pattern.FindStringSubmatch(r.URL.Path)
		if parts == nil || r.Method != one.method {
			continue
		}
		s.plan.Serve(w, r, body, one.op, []string{r.URL.Path, string(body)}, refuse, func(w http.ResponseWriter, r *http.Request) {
			open := strings.HasPrefix(r.URL.Path, "/blob/") || strings.HasPrefix(r.URL.Path, "/artifact/") || strings.HasPrefix(r.URL.Path, "/upload/") || strings.Contains(r.URL.Path, "/oauth2/")
			if !open && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer fake-") {
				answerError(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is missing.")
				return
			}
			if one.answer != nil {
				one.answer(w, r, parts)
				return
			}
			s.bridge(w, r, one.op, body)
		})
		return
	}
	answerError(w, http.StatusNotFound, "NotFound", r.Method+" "+r.URL.Path)
}

type rawKey struct{}

// bridge puts the vendor's fake servers, which answer inside of a client, behind
// HTTP: they find out what a call is from its context.
func (s *Server) bridge(w http.ResponseWriter, r *http.Request, op string, body []byte) {
	ctx := context.WithValue(context.WithValue(r.Context(), runtime.CtxAPINameKey{}, op), rawKey{}, body)
	in := r.Clone(ctx)
	in.RequestURI, in.URL.Scheme, in.URL.Host = "", "http", r.Host
	in.Body = io.NopCloser(bytes.NewReader(body))
	out, err := s.sdk.Do(in)
	var refused *azcore.ResponseError
	switch {
	case errors.As(err, &refused):
		answerError(w, refused.StatusCode, refused.ErrorCode, "the fake refuses "+op)
		return
	case err != nil:
		answerError(w, http.StatusBadRequest, "UserError", err.Error())
		return
	}
	defer out.Body.Close()
	for name, values := range out.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(out.StatusCode)
	_, _ = io.Copy(w, out.Body) // a caller that went away needs no answer
}

// refuse is how Azure says a fault.
func refuse(w http.ResponseWriter, f cloudfake.Fault) {
	status, code, message := http.StatusInternalServerError, "InternalServerError", "the service failed"
	switch f.Kind {
	case cloudfake.Throttled:
		status, code, message = http.StatusTooManyRequests, "TooManyRequests", "rate exceeded"
		w.Header().Set("Retry-After", fmt.Sprint((f.RetryAfterMS+999)/1000))
	case cloudfake.Expired:
		status, code, message = http.StatusUnauthorized, "ExpiredAuthenticationToken", "The access token expiry is earlier than the current time."
	case cloudfake.Denied:
		status, code, message = http.StatusForbidden, "AuthorizationFailed", "The client does not have authorization to perform this action."
	case cloudfake.Quota:
		status, code, message = http.StatusBadRequest, "QuotaExceeded", "The specified subscription has exceeded its core quota."
	case cloudfake.Capacity:
		status, code, message = http.StatusBadRequest, "SkuNotAvailable", "there is no capacity of this size"
	}
	if f.Message != "" {
		message = f.Message
	}
	answerError(w, status, code, message)
}

func answerError(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller that went away needs no answer
}

func (s *Server) token(w http.ResponseWriter, r *http.Request, _ []string) {
	if r.FormValue("client_secret") == "wrong" {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
		return
	}
	const lives = 3600
	answer(w, http.StatusOK, map[string]any{"access_token": "fake-" + r.FormValue("scope"), "token_type": "Bearer", "expires_in": lives})
}

func (s *Server) exchange(w http.ResponseWriter, r *http.Request, _ []string) {
	if !strings.HasPrefix(r.FormValue("access_token"), "fake-") {
		answerError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	answer(w, http.StatusOK, map[string]string{"refresh_token": "refresh-for-" + r.FormValue("service")})
}
