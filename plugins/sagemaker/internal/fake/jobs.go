package fake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"github.com/stephost/stephost/test/cloudfake"
)

// transition is one entry of SecondaryStatusTransitions.
type transition struct {
	Status        string
	StartTime     float64
	EndTime       float64 `json:",omitempty"`
	StatusMessage string
}

// job is one training job. What changes is guarded by Server.mu.
type job struct {
	number  int
	account string
	region  string
	name    string
	request *api.CreateTrainingJobInput
	raw     json.RawMessage
	tags    map[string]string
	life    cloudfake.Life

	created, modified, started, ended time.Time
	status, secondary, failure        string
	transitions                       []transition
	starts                            int
	nodes                             []*node // of all starts
	over, deleted                     bool
	stopping                          chan struct{} // closed by StopTrainingJob
	why                               string        // secondary status at the end, of a job that is stopped
}

// node is one start of one instance.
type node struct {
	stream  string
	process *cloudfake.Process
}

func (j *job) arn() string {
	return fmt.Sprintf("arn:aws:sagemaker:%s:%s:training-job/%s", j.region, j.account, j.name)
}

// move goes to a state; Server.mu is held.
func (j *job) move(status, secondary, message string) {
	now := time.Now()
	if n := len(j.transitions); n > 0 {
		j.transitions[n-1].EndTime = seconds(now)
	}
	j.status, j.secondary, j.modified = status, secondary, now
	j.transitions = append(j.transitions, transition{Status: secondary, StartTime: seconds(now), StatusMessage: message})
	if status == "Completed" || status == "Failed" || status == "Stopped" {
		j.over, j.ended = true, now
		j.transitions[len(j.transitions)-1].EndTime = seconds(now)
	}
}

func (s *Server) id(region, name string) string { return s.account + "/" + region + "/" + name }

func (s *Server) createTrainingJob(region string, in []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(in))
	d.DisallowUnknownFields()
	var r api.CreateTrainingJobInput
	if err := d.Decode(&r); err != nil {
		return nil, &apiError{http.StatusBadRequest, "SerializationException", err.Error()}
	}
	if err := check(&r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &apiError{http.StatusServiceUnavailable, "ServiceUnavailable", "the fake ends"}
	}
	name := aws.ToString(r.TrainingJobName)
	if s.jobs[s.id(region, name)] != nil {
		return nil, &apiError{http.StatusBadRequest, "ResourceInUse", "Training job names must be unique within an AWS account and region, and a training job with this name already exists (" + name + ")"}
	}
	j := &job{
		number: len(s.all) + 1, account: s.account, region: region, name: name, request: &r, raw: slices.Clone(in),
		tags: map[string]string{}, created: time.Now(), stopping: make(chan struct{}),
	}
	for _, t := range r.Tags {
		j.tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	j.life = s.plan.LifeOf(name, j.tags["stephost:run"], j.tags["stephost:step"], r.Environment["PT_KEY"])
	j.move("InProgress", "Starting", "Starting the training job")
	s.jobs[s.id(region, name)] = j
	s.all = append(s.all, j)
	s.lives.Go(func() { s.live(j) })
	return map[string]string{"TrainingJobArn": j.arn()}, nil
}

// forms are the patterns of the API description. They are made once: that of a
// tag takes many milliseconds.
type forms struct{ name, role, variable, tag *regexp.Regexp }

var patterns = sync.OnceValue(func() forms {
	return forms{
		name:     regexp.MustCompile(`^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$`),
		role:     regexp.MustCompile(`^arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`),
		variable: regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`),
		tag:      regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`),
	}
})

// check refuses what the API description forbids.
func check(r *api.CreateTrainingJobInput) error {
	a, form := r.AlgorithmSpecification, patterns()
	switch {
	case !form.name.MatchString(aws.ToString(r.TrainingJobName)):
		return invalid("TrainingJobName %q", aws.ToString(r.TrainingJobName))
	case !form.role.MatchString(aws.ToString(r.RoleArn)):
		return invalid("RoleArn %q", aws.ToString(r.RoleArn))
	case a == nil || aws.ToString(a.TrainingImage) == "" || a.TrainingInputMode == "":
		return invalid("AlgorithmSpecification is not whole")
	case r.ResourceConfig == nil || aws.ToInt32(r.ResourceConfig.VolumeSizeInGB) < 1 || aws.ToInt32(r.ResourceConfig.InstanceCount) < 1 || r.ResourceConfig.InstanceType == "":
		return invalid("ResourceConfig is not whole")
	case r.OutputDataConfig == nil || !strings.HasPrefix(aws.ToString(r.OutputDataConfig.S3OutputPath), "s3://"):
		return invalid("OutputDataConfig")
	case r.StoppingCondition == nil || aws.ToInt32(r.StoppingCondition.MaxRuntimeInSeconds) < 1:
		return invalid("StoppingCondition")
	case aws.ToBool(r.EnableManagedSpotTraining) && aws.ToInt32(r.StoppingCondition.MaxWaitTimeInSeconds) < aws.ToInt32(r.StoppingCondition.MaxRuntimeInSeconds):
		return invalid("Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds")
	case len(r.Environment) > 100 || len(r.Tags) > 50 || len(a.ContainerEntrypoint) > 100 || len(a.ContainerArguments) > 100:
		return invalid("too many members")
	case len(a.ContainerEntrypoint) == 0:
		return invalid("this fake runs ContainerEntrypoint, and there is none")
	}
	for k, v := range r.Environment {
		if !form.variable.MatchString(k) || utf8.RuneCountInString(v) > 512 {
			return invalid("Environment %.80q", k)
		}
	}
	for _, arg := range append(slices.Clone(a.ContainerEntrypoint), a.ContainerArguments...) {
		if utf8.RuneCountInString(arg) > 256 || strings.ContainsAny(arg, "\n\r") {
			return invalid("container argument %.80q", arg)
		}
	}
	for _, t := range r.Tags {
		key, value := aws.ToString(t.Key), aws.ToString(t.Value)
		if n := utf8.RuneCountInString(key); n < 1 || n > 128 || utf8.RuneCountInString(value) > 256 || !form.tag.MatchString(key) || !form.tag.MatchString(value) {
			return invalid("tag %.80q", key)
		}
	}
	return nil
}

// named returns a job; Server.mu is held.
func (s *Server) named(region, name string) (*job, error) {
	if j := s.jobs[s.id(region, name)]; j != nil {
		return j, nil
	}
	return nil, invalid("Requested resource not found.")
}

func (s *Server) describeTrainingJob(region string, in []byte) (any, error) {
	r, err := read[struct{ TrainingJobName string }](in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.named(region, r.TrainingJobName)
	if err != nil {
		return nil, err
	}
	return j.described(), nil
}

// described is the job as Describe tells it: what was asked for, and its state.
func (j *job) described() map[string]any {
	out := map[string]any{}
	_ = json.Unmarshal(j.raw, &out)
	delete(out, "Tags")
	out["TrainingJobArn"], out["TrainingJobStatus"], out["SecondaryStatus"] = j.arn(), j.status, j.secondary
	out["CreationTime"], out["LastModifiedTime"] = seconds(j.created), seconds(j.modified)
	out["SecondaryStatusTransitions"] = slices.Clone(j.transitions)
	if !j.started.IsZero() {
		out["TrainingStartTime"] = seconds(j.started)
		out["ModelArtifacts"] = map[string]string{"S3ModelArtifacts": j.artifacts()}
	}
	if j.over {
		out["TrainingEndTime"] = seconds(j.ended)
	}
	if j.failure != "" {
		out["FailureReason"] = j.failure
	}
	return out
}

func (s *Server) listTrainingJobs(region string, in []byte) (any, error) {
	r, err := read[struct {
		NameContains, NextToken, SortOrder       string
		MaxResults                               int
		CreationTimeAfter, LastModifiedTimeAfter float64
	}](in)
	if err != nil {
		return nil, err
	}
	if r.MaxResults == 0 {
		r.MaxResults = 10
	}
	if r.MaxResults > 100 {
		return nil, invalid("MaxResults")
	}
	var list []map[string]any
	s.mu.Lock()
	for _, j := range s.sorted(region, r.SortOrder == "Descending") {
		if strings.Contains(j.name, r.NameContains) && seconds(j.created) >= r.CreationTimeAfter && seconds(j.modified) >= r.LastModifiedTimeAfter {
			list = append(list, map[string]any{
				"TrainingJobName": j.name, "TrainingJobArn": j.arn(), "TrainingJobStatus": j.status, "SecondaryStatus": j.secondary,
				"CreationTime": seconds(j.created), "LastModifiedTime": seconds(j.modified),
			})
		}
	}
	s.mu.Unlock()
	out, next := page(list, r.NextToken, r.MaxResults)
	answer := map[string]any{"TrainingJobSummaries": append([]map[string]any{}, out...)}
	if next != "" {
		answer["NextToken"] = next
	}
	return answer, nil
}

// sorted are the listed jobs of an account and region by their creation.
func (s *Server) sorted(region string, descending bool) []*job {
	var out []*job
	for _, j := range s.jobs {
		if j.account == s.account && j.region == region && time.Since(j.created) >= millis(j.life.ListedAfterMS) {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(a, b *job) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(a.number, b.number)
	})
	return out
}

func (s *Server) search(region string, in []byte) (any, error) {
	r, err := read[struct {
		Resource, NextToken string
		MaxResults          int
		SearchExpression    struct {
			Filters []struct{ Name, Operator, Value string }
		}
	}](in)
	if err != nil {
		return nil, err
	}
	if r.Resource != "TrainingJob" || len(r.SearchExpression.Filters) != 1 || r.SearchExpression.Filters[0].Operator != "Equals" {
		return nil, invalid("this fake searches training jobs by one tag")
	}
	f := r.SearchExpression.Filters[0]
	var list []map[string]any
	s.mu.Lock()
	for _, j := range s.sorted(region, true) {
		if j.tags[strings.TrimPrefix(f.Name, "Tags.")] != f.Value {
			continue
		}
		one := j.described()
		one["Tags"] = tagList(j.tags)
		list = append(list, map[string]any{"TrainingJob": one})
	}
	s.mu.Unlock()
	const most = 100
	out, next := page(list, r.NextToken, most)
	answer := map[string]any{"Results": append([]map[string]any{}, out...)}
	if next != "" {
		answer["NextToken"] = next
	}
	return answer, nil
}

func tagList(tags map[string]string) []map[string]string {
	out := []map[string]string{}
	for k, v := range tags {
		out = append(out, map[string]string{"Key": k, "Value": v})
	}
	slices.SortFunc(out, func(a, b map[string]string) int { return cmp.Compare(a["Key"], b["Key"]) })
	return out
}

func (s *Server) listTags(_ string, in []byte) (any, error) {
	r, err := read[struct{ ResourceArn, NextToken string }](in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.arn() == r.ResourceArn {
			const most = 5 // small pages: every caller must go on
			out, next := page(tagList(j.tags), r.NextToken, most)
			answer := map[string]any{"Tags": out}
			if next != "" {
				answer["NextToken"] = next
			}
			return answer, nil
		}
	}
	return nil, &apiError{http.StatusBadRequest, "ResourceNotFound", "there is no " + r.ResourceArn}
}

func (s *Server) stopTrainingJob(region string, in []byte) (any, error) {
	r, err := read[struct{ TrainingJobName string }](in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.named(region, r.TrainingJobName)
	if err != nil {
		return nil, err
	}
	if j.status != "InProgress" {
		return nil, invalid("The request was rejected because the training job is in status %s.", j.status)
	}
	s.halt(j, "Stopped")
	return struct{}{}, nil
}

// halt begins the end of a job; Server.mu is held.
func (s *Server) halt(j *job, why string) {
	if j.status != "InProgress" {
		return
	}
	j.move("Stopping", "Stopping", "Stopping the training job")
	j.why = why
	if !j.life.CancelNever {
		close(j.stopping)
	}
}

// createThing makes an experiment or a trial.
func (s *Server) createThing(member string) call {
	return func(_ string, in []byte) (any, error) {
		r, err := read[map[string]any](in)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint((*r)[member])
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.things[member+"/"+name] {
			return nil, invalid("%s names must be unique within an AWS account: %s already exists", member, name)
		}
		s.things[member+"/"+name] = true
		return map[string]string{strings.TrimSuffix(member, "Name") + "Arn": "arn:aws:sagemaker:::" + name}, nil
	}
}

func (s *Server) adminJobs() []cloudfake.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []cloudfake.Job{}
	for _, j := range s.all {
		if j.deleted {
			continue
		}
		one := cloudfake.Job{
			Name: j.name, Key: j.tags["stephost:key"], Token: j.tags["stephost:token"], Step: j.tags["stephost:step"],
			State: j.status + "/" + j.secondary, Over: j.over, Starts: j.starts, Request: j.raw,
		}
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

// adminDelete ends a job and forgets it.
func (s *Server) adminDelete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if j.name == name {
			for _, n := range j.nodes {
				n.process.Kill()
			}
			s.halt(j, "Stopped")
			j.deleted = true
			delete(s.jobs, id)
			return nil
		}
	}
	return fmt.Errorf("there is no job %s", name)
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }
