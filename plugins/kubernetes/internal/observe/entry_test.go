package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func jobAt(version, uid string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
}

func podAt(version, uid string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), Name: uid, ResourceVersion: version}}
}

// Events and lists come in any order; the newer state of each object holds.
func TestEntry(t *testing.T) {
	now := time.Now()
	type step func(e *entry)
	event := func(o metav1.Object, deleted bool) step { return func(e *entry) { e.event(o, deleted) } }
	list := func(job *batchv1.Job, jobs string, pods []*corev1.Pod, podsAt string) step {
		return func(e *entry) { e.listed(job, jobs, pods, podsAt, now) }
	}
	for name, c := range map[string]struct {
		steps []step
		job   string // version
		pods  map[types.UID]string
	}{
		"a list": {steps: []step{list(jobAt("5", "j"), "9", []*corev1.Pod{podAt("6", "p")}, "9")}, job: "5", pods: map[types.UID]string{"p": "6"}},
		"an event behind it": {steps: []step{list(jobAt("5", "j"), "9", nil, "9"), event(jobAt("12", "j"), false), event(podAt("13", "p"), false)},
			job: "12", pods: map[types.UID]string{"p": "13"}},
		"an event before an older list":    {steps: []step{event(jobAt("12", "j"), false), list(jobAt("5", "j"), "9", nil, "9")}, job: "12"},
		"an event that came late":          {steps: []step{list(jobAt("20", "j"), "21", nil, "21"), event(jobAt("12", "j"), false)}, job: "20"},
		"an event twice":                   {steps: []step{event(jobAt("12", "j"), false), event(jobAt("11", "j"), false)}, job: "12"},
		"made behind the list":             {steps: []step{event(podAt("12", "p"), false), list(nil, "9", nil, "9")}, pods: map[types.UID]string{"p": "12"}},
		"gone in a newer list":             {steps: []step{event(jobAt("5", "j"), false), event(podAt("6", "p"), false), list(nil, "9", nil, "9")}},
		"deleted, then an older list":      {steps: []step{event(podAt("12", "p"), true), list(nil, "9", []*corev1.Pod{podAt("6", "p")}, "9")}},
		"deleted, and another one":         {steps: []step{event(jobAt("5", "j"), false), event(jobAt("6", "j"), true), event(jobAt("7", "k"), false)}, job: "7"},
		"the old one's deletion is late":   {steps: []step{event(jobAt("7", "k"), false), event(jobAt("6", "j"), true)}, job: "7"},
		"versions that are no numbers":     {steps: []step{event(jobAt("x1", "j"), false), event(jobAt("x2", "j"), false)}, job: "x2"},
		"a list of an unchanged namespace": {steps: []step{event(jobAt("9", "j"), false), list(jobAt("9", "j"), "9", nil, "9")}, job: "9"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntry()
			for _, s := range c.steps {
				s(e)
			}
			if c.job == "" {
				assert.Nil(t, e.job)
			} else if assert.NotNil(t, e.job) {
				assert.Equal(t, c.job, e.job.ResourceVersion)
			}
			got := map[types.UID]string{}
			for uid, pod := range e.pods {
				got[uid] = pod.ResourceVersion
			}
			if c.pods == nil {
				c.pods = map[types.UID]string{}
			}
			assert.Equal(t, c.pods, got)
		})
	}
}
