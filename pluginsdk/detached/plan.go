package detached

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// placeholderKey has the form of a key and is never used for a job.
const placeholderKey = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

// Validate is Validate of a flavor whose jobs are processes here: what build says
// about the step (nil = the config alone is looked at), and a warning for each
// inherited variable that is not there. Nothing is created.
func Validate(state jobdir.State, inherit []string, getenv func(string) string, s *pluginsdk.Step, build func(jobdir.Job) error) error {
	var found []error
	for _, name := range inherit {
		if getenv(name) == "" {
			found = append(found, pluginsdk.Warn("config.inherit_env", "%s is not set here, or the flavor's pass_env does not let it through", name))
		}
	}
	if s == nil {
		return errors.Join(found...)
	}
	job, err := state.Job(placeholderKey)
	if err != nil {
		return err
	}
	return errors.Join(append(found, build(job))...)
}

// PlannedJob is the job that a plan is about. Before a launch there is no key, and its
// directory says so.
func PlannedJob(state jobdir.State, key string) (jobdir.Job, error) {
	job, err := state.Job(key)
	if err == nil {
		return job, nil
	}
	if job, err = state.Job(placeholderKey); err != nil {
		return jobdir.Job{}, err
	}
	job.Key = pluginsdk.KnownAtLaunch("the key of the attempt")
	job.Dir = filepath.Join(state.Jobs(), job.Key)
	return job, nil
}

// PlanOf is a plan that shows v as JSON.
func PlanOf(v any, notes []string) (pluginsdk.Plan, error) {
	// Arguments are shown as they are: no escaping for web pages.
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return pluginsdk.Plan{}, err
	}
	return pluginsdk.Plan{Request: text.String(), Format: "json", Notes: notes}, nil
}
