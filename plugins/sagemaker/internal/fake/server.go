package fake

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/test/cloudfake"
)

// Options of a Server.
type Options struct {
	// Dir is for the jobs' files.
	Dir string
	// Shim is a program that stands for the init process of built images.
	Shim string
	// Grace stands for SageMaker's 120 s between SIGTERM and SIGKILL.
	Grace time.Duration
	// Step is how long each state before the start lasts.
	Step time.Duration
}

// Server holds the jobs of all accounts and regions.
type Server struct {
	o      Options
	runner cloudfake.Runner
	plan   cloudfake.Plan
	lives  sync.WaitGroup
	stop   chan struct{}

	mu      sync.Mutex
	closed  bool
	account string
	jobs    map[string]*job // by account/region/name
	all     []*job
	repos   map[string]bool
	things  map[string]bool // experiments and trials
	objects map[string]string
}

// New makes a server.
func New(o Options) *Server {
	return &Server{
		o: o, account: "123456789012", stop: make(chan struct{}),
		jobs: map[string]*job{}, repos: map[string]bool{}, things: map[string]bool{}, objects: map[string]string{},
	}
}

// Service is what cloudfake.Main serves.
func (s *Server) Service() *cloudfake.Service {
	return &cloudfake.Service{
		Handler: s,
		Admin: &cloudfake.Admin{Plan: &s.plan, Jobs: s.adminJobs, Delete: s.adminDelete, Set: func(name, value string) error {
			if name != "account" {
				return fmt.Errorf("there is no %q", name)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.account = value
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

// apiError is a refusal in the words of AWS.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func invalid(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "ValidationException", fmt.Sprintf(format, args...)}
}

// call is one operation: it reads in and returns what is answered.
type call func(region string, in []byte) (any, error)

func (s *Server) operations() map[string]call {
	return map[string]call{
		"SageMaker.CreateTrainingJob":   s.createTrainingJob,
		"SageMaker.DescribeTrainingJob": s.describeTrainingJob,
		"SageMaker.ListTrainingJobs":    s.listTrainingJobs,
		"SageMaker.StopTrainingJob":     s.stopTrainingJob,
		"SageMaker.Search":              s.search,
		"SageMaker.ListTags":            s.listTags,
		"SageMaker.CreateExperiment":    s.createThing("ExperimentName"),
		"SageMaker.CreateTrial":         s.createThing("TrialName"),

		"Logs_20140328.DescribeLogStreams": s.describeLogStreams,
		"Logs_20140328.GetLogEvents":       s.getLogEvents,

		"AmazonEC2ContainerRegistry_V20150921.CreateRepository":      s.createRepository,
		"AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken": s.getAuthorizationToken,
		"ServiceQuotasV20190624.ListServiceQuotas":                   s.listServiceQuotas,
	}
}

// ServeHTTP finds out what a call is: the JSON services by their header, STS and
// IAM by their form, S3 by the rest.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	region := "us-east-1"
	if m := regexp.MustCompile(`Credential=[^/]+/\d+/([a-z0-9-]+)/`).FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		region = m[1]
	}
	target := r.Header.Get("X-Amz-Target")
	if target != "" {
		_, op, _ := strings.Cut(target, ".")
		s.plan.Serve(w, r, body, op, []string{string(body)}, refuseJSON, func(w http.ResponseWriter, _ *http.Request) {
			run, ok := s.operations()[target]
			if !ok {
				answerError(w, &apiError{http.StatusBadRequest, "UnknownOperationException", target})
				return
			}
			out, err := run(region, body)
			if err != nil {
				answerError(w, err)
				return
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_ = json.NewEncoder(w).Encode(out) // a caller that went away needs no answer
		})
		return
	}
	if form, err := url.ParseQuery(string(body)); err == nil && r.Method == http.MethodPost && form.Get("Action") != "" {
		s.plan.Serve(w, r, body, form.Get("Action"), nil, refuseXML, func(w http.ResponseWriter, _ *http.Request) { s.serveQuery(w, form) })
		return
	}
	op := map[string]string{http.MethodHead: "HeadBucket", http.MethodGet: "GetObject"}[r.Method]
	if r.URL.Query().Has("list-type") {
		op = "ListObjectsV2"
	}
	s.plan.Serve(w, r, body, op, []string{r.URL.Path}, refuseXML, s.serveS3)
}

// faultError is how AWS says a fault.
func faultError(f cloudfake.Fault) *apiError {
	e := map[cloudfake.Kind]*apiError{
		cloudfake.Throttled: {http.StatusBadRequest, "ThrottlingException", "Rate exceeded"},
		cloudfake.Internal:  {http.StatusInternalServerError, "InternalFailure", "the service failed"},
		cloudfake.Expired:   {http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired"},
		cloudfake.Denied:    {http.StatusBadRequest, "AccessDeniedException", "not authorized to perform this action"},
		cloudfake.Quota:     {http.StatusBadRequest, "ResourceLimitExceeded", "The account-level service limit is 0 Instances, with current utilization of 0 Instances"},
		cloudfake.Capacity:  {http.StatusBadRequest, "ResourceLimitExceeded", "no capacity"},
	}[f.Kind]
	if e == nil {
		return &apiError{http.StatusInternalServerError, "InternalFailure", "unknown fault " + string(f.Kind)}
	}
	if f.Message != "" {
		e.message = f.Message
	}
	return e
}

func refuseJSON(w http.ResponseWriter, f cloudfake.Fault) { answerError(w, faultError(f)) }

func refuseXML(w http.ResponseWriter, f cloudfake.Fault) { answerXMLError(w, faultError(f)) }

func answerError(w http.ResponseWriter, err error) {
	e, ok := err.(*apiError)
	if !ok {
		e = &apiError{http.StatusInternalServerError, "InternalFailure", err.Error()}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.code, "message": e.message})
}

// answerXMLError answers as the Query protocol and S3 do: both readers find code
// and message.
func answerXMLError(w http.ResponseWriter, e *apiError) {
	type detail struct{ Code, Message string }
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(e.status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Error   detail
		Code    string
		Message string
	}{Error: detail{e.code, e.message}, Code: e.code, Message: e.message})
}

// read decodes a request.
func read[T any](in []byte) (*T, error) {
	out := new(T)
	if err := json.Unmarshal(in, out); err != nil {
		return nil, &apiError{http.StatusBadRequest, "SerializationException", err.Error()}
	}
	return out, nil
}

// page cuts a list; tokens are offsets.
func page[T any](list []T, token string, size int) ([]T, string) {
	from := 0
	_, _ = fmt.Sscanf(token, "at-%d", &from)
	from = min(from, len(list))
	to := min(from+size, len(list))
	next := ""
	if to < len(list) {
		next = fmt.Sprintf("at-%d", to)
	}
	return list[from:to], next
}

// seconds is a time as the JSON protocol has it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (s *Server) dir(j *job, node, start int) string {
	return filepath.Join(s.o.Dir, fmt.Sprintf("%06d-%s", j.number, j.name), fmt.Sprintf("%d.%d", node, start))
}
