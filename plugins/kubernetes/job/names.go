package job

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/stephost/stephost/pluginsdk"
)

// Labels and annotations of a Job and its pods. What another version of this
// flavor writes must be read by this one: these never change.
const (
	labelManaged = "app.kubernetes.io/managed-by"
	managedBy    = "stephost"

	labelKey = "stephost.dev/key"
	// labelToken is a hash, because a run token is any string; the token itself
	// is an annotation.
	labelToken    = "stephost.dev/token"
	labelAttempt  = "stephost.dev/attempt"
	labelProject  = "stephost.dev/project"
	labelPipeline = "stephost.dev/pipeline"
	labelStep     = "stephost.dev/step"

	noteToken       = "stephost.dev/run-token"
	noteRun         = "stephost.dev/run-id"
	noteDigest      = "stephost.dev/request-digest"
	noteProject     = "stephost.dev/project"
	notePipeline    = "stephost.dev/pipeline"
	notePipelineRun = "stephost.dev/pipeline-run"
	noteStep        = "stephost.dev/step"
	noteOperator    = "stephost.dev/operator"
	// noteIncomplete marks a Job that waits for its Secret or Service.
	noteIncomplete = "stephost.dev/incomplete"
	// noteWatch holds what Watch needs to know of the settings.
	noteWatch = "stephost.dev/watch"
	// noteEnd says that, and why, stephost ends the Job.
	noteEnd = "stephost.dev/end"
	// noteIndex is the rank of a pod of an Indexed Job.
	noteIndex = "batch.kubernetes.io/job-completion-index"
	// noteLabel begins an annotation for a label of the step that Kubernetes does
	// not take as one.
	noteLabel = "label.stephost.dev/"

	// containerName is the step's container.
	containerName = "step"
)

// tokenHash is the label of a run token.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

// jobName is the name of the Job, the Secret and the Service of a key.
func jobName(prefix, key string) string { return prefix + "-" + key }

// identity are the labels by which a step's objects are found.
func identity(s *pluginsdk.Step) map[string]string {
	labels := map[string]string{
		labelManaged: managedBy, labelKey: s.Key, labelToken: tokenHash(s.Token), labelAttempt: strconv.Itoa(s.Attempt),
	}
	for label, text := range map[string]string{labelProject: s.Project, labelPipeline: s.Pipeline, labelStep: s.Name} {
		if v := labelValue(text); v != "" {
			labels[label] = v
		}
	}
	return labels
}

// notes are the annotations that say all of it.
func notes(s *pluginsdk.Step) map[string]string {
	notes := map[string]string{noteToken: s.Token, noteRun: s.RunID, noteDigest: s.RequestDigest}
	for note, text := range map[string]string{noteProject: s.Project, notePipeline: s.Pipeline, notePipelineRun: s.PipelineRun, noteStep: s.Name, noteOperator: s.Operator} {
		if text != "" {
			notes[note] = text
		}
	}
	return notes
}

// stepLabels splits the step's labels into those that Kubernetes takes and
// annotations for the others.
func stepLabels(labels map[string]string) (good, asNotes map[string]string, odd []string) {
	good, asNotes = map[string]string{}, map[string]string{}
	for name, value := range labels {
		if len(content.IsLabelKey(name)) == 0 && len(content.IsLabelValue(value)) == 0 {
			good[name] = value
			continue
		}
		odd = append(odd, name)
		note := name
		if len(content.IsLabelKey(name)) > 0 {
			note = noteLabel + tokenHash(name)
			value = name + "=" + value
		}
		asNotes[note] = value
	}
	return good, asNotes, odd
}

// labelValue makes a label's value of any text, for people who filter by it; ""
// when nothing is left.
func labelValue(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	v := strings.Trim(b.String(), "-_.")
	return strings.TrimRight(v[:min(len(v), 63)], "-_.")
}

// merged copies maps into a new one; later ones win.
func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}
