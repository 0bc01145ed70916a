package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/label"
)

// Tags of a sandbox.
const (
	tagOwner   = "stephost"         // "1"
	tagKey     = "stephost-key"     // the key, unchanged
	tagToken   = "stephost-token"   // hash of the run token, which may be any string
	tagAttempt = "stephost-attempt" // decimal
	tagDigest  = "stephost-digest"  // the request digest, in base 32
	tagRun     = "stephost-run"     // the run's id, in base 32 where it is no plain name
	tagOutputs = "stephost-outputs" // the volume of the outputs

	tagProject     = "stephost-project"
	tagPipeline    = "stephost-pipeline"
	tagPipelineRun = "stephost-pipeline-run"
	tagStep        = "stephost-step"
)

// maxTag bounds names and values of tags. Assumption: the API tells no limit of
// its own; this is the one of labels everywhere else.
const maxTag = 63

// encoded begins the value of a tag that is not the text itself.
const encoded = "b32."

// textTag carries a short text that may be no plain name.
func textTag(text string) string {
	if fitTag(text) == text && !strings.HasPrefix(text, encoded) {
		return text
	}
	return encoded + label.Encode([]byte(text))
}

func fromTextTag(value string) string {
	if rest, ok := strings.CutPrefix(value, encoded); ok {
		if b, err := label.Decode(rest); err == nil {
			return string(b)
		}
	}
	return value
}

// tags are all tags of a sandbox. Names for people and the step's labels, which
// any flavor must take, are fitted to what a tag may be, with a note.
func (b *built) setTags(c Config, s *pluginsdk.Step) error {
	b.tags = map[string]string{
		tagOwner: "1", tagKey: s.Key, tagToken: label.Token(s.Token), tagAttempt: strconv.Itoa(s.Attempt),
		tagDigest: label.Digest(s.RequestDigest), tagRun: textTag(s.RunID),
	}
	if c.OutputVolume != "" {
		b.tags[tagOutputs] = c.OutputVolume
	}
	for name, value := range map[string]string{tagProject: s.Project, tagPipeline: s.Pipeline, tagPipelineRun: s.PipelineRun, tagStep: s.Name} {
		if value = fitTag(value); value != "" {
			b.tags[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		fit, value := fitTag(name), fitTag(s.Labels[name])
		if strings.HasPrefix(fit, tagOwner) || fit == "" {
			fit = fitTag("label-" + fit)
		}
		if _, taken := b.tags[fit]; taken {
			return pluginsdk.Config("labels."+name, "the label becomes the tag %q on Modal, and another one has that name already", fit)
		}
		if fit != name || value != s.Labels[name] {
			b.notes = append(b.notes, fmt.Sprintf("label %s=%s -> %s=%s: a tag has letters, digits, \".\", \"_\" and \"-\", at most %d", name, s.Labels[name], fit, value, maxTag))
		}
		b.tags[fit] = value
	}
	return nil
}

// fitTag is the nearest tag to text.
func fitTag(text string) string {
	fit := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, text)
	return fit[:min(len(fit), maxTag)]
}

// tagList are tags for a request, sorted: the same request each time.
func tagList(tags map[string]string) []*pb.SandboxTag {
	var out []*pb.SandboxTag
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, pb.SandboxTag_builder{TagName: name, TagValue: tags[name]}.Build())
	}
	return out
}

func tagMap(tags []*pb.SandboxTag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.GetTagName()] = t.GetTagValue()
	}
	return out
}
