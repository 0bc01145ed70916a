package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/label"
)

// Labels of a job. There is no call that changes a job, so they stay as they
// were made.
const (
	labelOwner   = "stephost"         // "1"
	labelKey     = "stephost-key"     // the key, unchanged
	labelToken   = "stephost-token"   // hash of the run token, which may be any string
	labelAttempt = "stephost-attempt" // decimal
	labelDigest  = "stephost-digest"  // the request digest in base 32
	labelNames   = "stephost-"        // what stephost alone may use

	labelProject     = "stephost-project"
	labelPipeline    = "stephost-pipeline"
	labelPipelineRun = "stephost-pipeline-run"
	labelStep        = "stephost-step"
)

// Limits of labels (CustomJob.labels; https://cloud.google.com/resource-manager/docs/labels-overview).
const (
	maxLabel  = 63
	maxLabels = 64
)

// labels are all labels of a job. Names for people (pipeline, step) and the
// step's labels, which any flavor must take, are fitted to what a label may be,
// with a note; job_labels, which are for this flavor alone, are taken as they
// are or refused.
func labels(s *pluginsdk.Step, set Settings) (out map[string]string, notes []string, err error) {
	out = map[string]string{
		labelOwner: "1", labelKey: s.Key, labelToken: label.Token(s.Token),
		labelAttempt: strconv.Itoa(s.Attempt), labelDigest: label.Digest(s.RequestDigest),
	}
	for name, value := range map[string]string{labelProject: s.Project, labelPipeline: s.Pipeline, labelPipelineRun: s.PipelineRun, labelStep: s.Name} {
		if value = fitLabel(value); value != "" {
			out[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		fit, value := fitName(name), fitLabel(s.Labels[name])
		if _, taken := out[fit]; taken {
			return nil, nil, pluginsdk.Config("labels."+name, "the label becomes %q on Vertex AI, and another one has that name already", fit)
		}
		if fit != name || value != s.Labels[name] {
			notes = append(notes, fmt.Sprintf("label %s=%s -> %s=%s: a label of Vertex AI has small letters, digits, \"_\" and \"-\"", name, s.Labels[name], fit, value))
		}
		out[fit] = value
	}
	for _, name := range slices.Sorted(maps.Keys(set.JobLabels)) {
		if err := checkLabel("settings.job_labels."+name, name, set.JobLabels[name]); err != nil {
			return nil, nil, err
		}
		out[name] = set.JobLabels[name]
	}
	if len(out) > maxLabels {
		return nil, nil, pluginsdk.Config("labels", "a job takes %d labels, and this one has %d (those of stephost included)", maxLabels, len(out))
	}
	return out, notes, nil
}

// fitName is the nearest name of a label that is not one of stephost's own.
func fitName(name string) string {
	fit := fitLabel(name)
	if fit == "" || fit[0] < 'a' || fit[0] > 'z' || strings.HasPrefix(fit, labelOwner) {
		fit = fitLabel("label-" + fit)
	}
	return fit
}

func checkLabel(path, name, value string) error {
	switch {
	case strings.HasPrefix(name, labelNames) || name == labelOwner:
		return pluginsdk.Config(path, "labels that begin with %q are stephost's own", labelNames)
	case name == "" || name[0] < 'a' || name[0] > 'z' || len(name) > maxLabel || fitLabel(name) != name:
		return pluginsdk.Config(path, "Vertex AI takes labels whose name begins with a small letter and has small letters, digits, \"_\" and \"-\", at most %d in all: %q has not", maxLabel, name)
	case len(value) > maxLabel || fitLabel(value) != value:
		return pluginsdk.Config(path, "the value of a label has small letters, digits, \"_\" and \"-\" on Vertex AI, at most %d: %q has not", maxLabel, value)
	}
	return nil
}

// fitLabel is the nearest label value to text.
func fitLabel(text string) string {
	fit := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.ToLower(text))
	return fit[:min(len(fit), maxLabel)]
}

// maxDisplay is the limit of CustomJob.display_name, in characters.
const maxDisplay = 128

// displayName is what a person sees in the console: the step and where it
// belongs, then the key.
func displayName(s *pluginsdk.Step) string {
	title := s.Title(maxDisplay - len(s.Key) - 1)
	if title == "" {
		return s.Key
	}
	return title + " " + s.Key
}
