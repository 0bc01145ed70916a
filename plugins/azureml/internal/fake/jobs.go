package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/test/cloudfake"
)

// job is one job. The server's mu guards all but what never changes.
type job struct {
	number  int
	name    string
	raw     json.RawMessage
	command *ml.CommandJob
	created time.Time
	life    cloudfake.Life

	state          ml.JobStatus
	code, reason   string // of a failure
	started, ended time.Time
	starts         int
	nodes          []*node // of the latest start
	stopping       chan struct{}
	why            string // why it is being stopped
	over           bool
}

type node struct {
	process *cloudfake.Process
	wd      string
	sizes   []sample // of its log, where that is shown late
}

type sample struct {
	at   time.Time
	size int64
}

func (j *job) property(name string) string {
	if v := j.command.Properties[name]; v != nil {
		return *v
	}
	return ""
}

func terminal(state ml.JobStatus) bool {
	return state == ml.JobStatusCompleted || state == ml.JobStatusFailed || state == ml.JobStatusCanceled
}

// move is called with mu held.
func (j *job) move(state ml.JobStatus) {
	j.state = state
	if terminal(state) {
		j.over, j.ended = true, time.Now()
	}
}

// base is the job as the resource manager tells it; mu is held.
func (j *job) base() ml.JobBase {
	shown := *j.command
	shown.Status = ptr(j.state)
	return ml.JobBase{ID: ptr("/jobs/" + j.name), Name: ptr(j.name), Type: ptr("Microsoft.MachineLearningServices/workspaces/jobs"),
		Properties: &shown, SystemData: &ml.SystemData{CreatedAt: ptr(j.created)}}
}

var (
	jobName  = regexp.MustCompile(`^[a-zA-Z0-9][\w-]{0,254}$`)
	template = regexp.MustCompile(`\$\{\{[^}]*\}\}`)
)

func (s *Server) getJob(_ context.Context, _, _, id string, _ *ml.JobsClientGetOptions) (resp azfake.Responder[ml.JobsClientGetResponse], e azfake.ErrorResponder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil {
		e.SetResponseError(http.StatusNotFound, "UserError")
		return resp, e
	}
	resp.SetResponse(http.StatusOK, ml.JobsClientGetResponse{JobBase: j.base()}, nil)
	return resp, e
}

func (s *Server) putJob(ctx context.Context, _, _, id string, body ml.JobBase, _ *ml.JobsClientCreateOrUpdateOptions) (resp azfake.Responder[ml.JobsClientCreateOrUpdateResponse], e azfake.ErrorResponder) {
	command, ok := body.Properties.(*ml.CommandJob)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		e.SetResponseError(http.StatusServiceUnavailable, "ServerBusy")
		return resp, e
	}
	if !ok || !jobName.MatchString(id) || s.wrong(command) != "" {
		e.SetResponseError(http.StatusBadRequest, "UserError")
		return resp, e
	}
	if old := s.jobs[id]; old != nil {
		if !reflect.DeepEqual(old.command.Properties, command.Properties) || !reflect.DeepEqual(old.command.Command, command.Command) {
			e.SetResponseError(http.StatusBadRequest, "UserError")
			return resp, e
		}
		old.command.Tags = command.Tags
		resp.SetResponse(http.StatusOK, ml.JobsClientCreateOrUpdateResponse{JobBase: old.base()}, nil)
		return resp, e
	}
	raw, _ := ctx.Value(rawKey{}).([]byte)
	j := &job{number: len(s.all), name: id, raw: slices.Clone(raw), command: command, created: time.Now(), state: ml.JobStatusNotStarted, stopping: make(chan struct{})}
	j.life = s.plan.LifeOf(id, j.property("stephost_key"), j.property("stephost_token"))
	s.jobs[id] = j
	s.all = append(s.all, j)
	s.lives.Go(func() { s.live(j) })
	resp.SetResponse(http.StatusCreated, ml.JobsClientCreateOrUpdateResponse{JobBase: j.base()}, nil)
	return resp, e
}

// wrong says what the service would not take; mu is held.
func (s *Server) wrong(c *ml.CommandJob) string {
	switch {
	case c.Command == nil || *c.Command == "":
		return "no command"
	case template.MatchString(*c.Command):
		return "the command refers to an input that is not there"
	case c.EnvironmentID == nil:
		return "no environment"
	case c.ComputeID == nil && (c.Resources == nil || c.Resources.InstanceType == nil):
		return "a serverless job without a size"
	case c.ComputeID != nil && s.computes[last(c.ComputeID)] == nil:
		return "no such compute"
	case c.CodeID != nil && s.codes["stephost-source/"+last(c.CodeID)] == nil:
		return "no such code"
	}
	if m := regexp.MustCompile(`/workspaces/[^/]+/environments/([^/]+)/versions/([^/]+)$`).FindStringSubmatch(*c.EnvironmentID); m != nil && s.environments[m[1]+"/"+m[2]] == nil {
		return "no such environment"
	}
	for name, value := range c.EnvironmentVariables {
		if value == nil || template.MatchString(*value) {
			return "the variable " + name + " refers to an input that is not there"
		}
	}
	return ""
}

// list gives the newest first. The vendor's fake server of lists knows callers by
// their path alone: two at the same time would share a page.
func (s *Server) list(w http.ResponseWriter, r *http.Request, _ []string) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []ml.JobBase
	for _, j := range slices.Backward(s.all) {
		if s.jobs[j.name] == j && time.Since(j.created) >= millis(j.life.ListedAfterMS) && fits(j, q.Get("properties")) {
			found = append(found, j.base())
		}
	}
	const size = 25 // small pages: every caller must go on
	from, _ := strconv.Atoi(q.Get("$skip"))
	from = min(from, len(found))
	to := min(from+size, len(found))
	page := map[string]any{"value": append([]ml.JobBase{}, found[from:to]...)}
	if to < len(found) {
		q.Set("$skip", strconv.Itoa(to))
		next := *r.URL
		next.Scheme, next.Host, next.RawQuery = "http", r.Host, q.Encode()
		page["nextLink"] = next.String()
	}
	answer(w, http.StatusOK, page)
}

// fits tells whether a job has the properties of a filter: "a,b=c".
func fits(j *job, filter string) bool {
	for one := range strings.SplitSeq(filter, ",") {
		name, value, valued := strings.Cut(one, "=")
		held := j.command.Properties[name]
		if filter != "" && (held == nil || valued && *held != value) {
			return false
		}
	}
	return true
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[parts[1]]
	switch {
	case j == nil:
		answerError(w, http.StatusNotFound, "UserError", "no such job")
		return
	case j.over:
		answerError(w, http.StatusBadRequest, "UserError", "the job is over")
		return
	}
	s.halt(j, "canceled")
	w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"/operation")
	w.WriteHeader(http.StatusAccepted)
}

// halt asks a job to end; mu is held.
func (s *Server) halt(j *job, why string) {
	if j.over || j.why != "" {
		return
	}
	j.why = why
	j.move(ml.JobStatusCancelRequested)
	if !j.life.CancelNever {
		close(j.stopping)
	}
}

func (s *Server) adminJobs() []cloudfake.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []cloudfake.Job{}
	for _, j := range s.all {
		if s.jobs[j.name] != j {
			continue
		}
		one := cloudfake.Job{Name: j.name, Key: j.property("stephost_key"), Token: j.property("stephost_token"), State: string(j.state), Over: j.over, Starts: j.starts, Request: j.raw}
		for _, n := range j.nodes {
			select {
			case <-n.process.Done():
			default:
				one.PIDs = append(one.PIDs, n.process.PID())
			}
		}
		out = append(out, one)
	}
	return out
}

func (s *Server) adminDelete(name string) error {
	s.mu.Lock()
	j := s.jobs[name]
	delete(s.jobs, name)
	var nodes []*node
	if j != nil {
		nodes = slices.Clone(j.nodes)
		if !j.over && j.why == "" {
			j.why = "deleted"
			close(j.stopping)
		}
	}
	s.mu.Unlock()
	if j == nil {
		return errors.New("there is no job " + name)
	}
	for _, n := range nodes {
		n.process.Kill()
		<-n.process.Done()
	}
	return nil
}

func decode(r *http.Request, into any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes.TrimSpace(data), into)
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }
