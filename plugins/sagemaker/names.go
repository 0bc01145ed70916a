package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/stephost/stephost/pluginsdk"
)

// namePrefix begins the name of every job: what lists are narrowed to, and what
// a policy may be narrowed to.
const namePrefix = "stephost-"

// jobName is the job's name. A name stays taken until the job is deleted.
func jobName(key string) string { return namePrefix + key }

// Tags that every job has.
const (
	tagKey         = "stephost:key"
	tagToken       = "stephost:token" // a digest: a token may be any string
	tagDigest      = "stephost:request-digest"
	tagRun         = "stephost:run"
	tagAttempt     = "stephost:attempt"
	tagOperator    = "stephost:operator"
	tagProject     = "stephost:project"
	tagPipeline    = "stephost:pipeline"
	tagPipelineRun = "stephost:pipeline-run"
	tagStep        = "stephost:step"

	// tagOwn begins those, tagAWS what nobody but Amazon may use
	// (https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html).
	tagOwn = "stephost:"
	tagAWS = "aws:"
)

// Limits of tags (CreateTrainingJob in the published API description of
// SageMaker, 2017-07-24: TagList, TagKey, TagValue).
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// tokenTag is the tag's value for a run token.
func tokenTag(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// tags are the tags of the job, sorted by name. A label whose text no tag can
// hold is refused; the names of pipeline, run and step are written with escapes.
func tags(s *pluginsdk.Step, own map[string]string) ([]types.Tag, error) {
	all := map[string]string{
		tagKey: s.Key, tagToken: tokenTag(s.Token), tagDigest: s.RequestDigest, tagRun: s.RunID,
		tagAttempt: strconv.Itoa(s.Attempt), tagOperator: s.Operator,
		tagProject: s.Project, tagPipeline: s.Pipeline, tagPipelineRun: s.PipelineRun, tagStep: s.Name,
	}
	for k, v := range all {
		if v == "" {
			delete(all, k)
			continue
		}
		all[k] = escapeTag(v)
	}
	put := func(path string, more map[string]string) error {
		for _, k := range slices.Sorted(maps.Keys(more)) {
			v := more[k]
			if low := strings.ToLower(k); strings.HasPrefix(low, tagOwn) || strings.HasPrefix(low, tagAWS) {
				return pluginsdk.Config(path+"."+k, "tags that begin with %q are stephost's own, and those with %q are Amazon's", tagOwn, tagAWS)
			}
			if k == "" || len([]rune(k)) > maxTagKey || !isTagText(k) || len([]rune(v)) > maxTagValue || !isTagText(v) {
				return pluginsdk.Config(path+"."+k, "%q = %q cannot be a tag: AWS takes letters, digits, blanks and _.:/=+-@, at most %d and %d of them", k, v, maxTagKey, maxTagValue)
			}
			all[k] = v
		}
		return nil
	}
	if err := put("labels", s.Labels); err != nil {
		return nil, err
	}
	if err := put("settings.tags", own); err != nil {
		return nil, err
	}
	if len(all) > maxTags {
		return nil, pluginsdk.Config("settings.tags", "the job would have %d tags with those of stephost and the labels; SageMaker takes %d", len(all), maxTags)
	}
	out := make([]types.Tag, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(all[k])})
	}
	return out, nil
}

// isTagText tells whether AWS takes s in a tag: [\p{L}\p{Z}\p{N}_.:/=+\-@]*.
func isTagText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	}) < 0
}

// escapeTag writes what a tag cannot hold as "=" and two hexadecimal digits, and
// cuts what is too long: these tags are for people.
func escapeTag(s string) string {
	var b strings.Builder
	for _, r := range s {
		piece := string(r)
		if !isTagText(piece) || r == unicode.ReplacementChar {
			piece = ""
			for _, c := range []byte(string(r)) {
				piece += fmt.Sprintf("=%02X", c)
			}
		}
		if b.Len()+len(piece) > maxTagValue {
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}
