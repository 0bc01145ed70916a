package observe

import (
	"cmp"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// entry is what a hub knows of one key.
type entry struct {
	subscribers map[*Subscription]bool
	read        bool
	at          time.Time
	job         *batchv1.Job
	pods        map[types.UID]*corev1.Pod
	// seen is the highest version of each object that was told, and gone
	// says that the object was deleted at that version: an older list must not
	// bring it back.
	seen map[types.UID]uint64
	gone map[types.UID]bool
}

func newEntry() *entry {
	return &entry{subscribers: map[*Subscription]bool{}, pods: map[types.UID]*corev1.Pod{}, seen: map[types.UID]uint64{}, gone: map[types.UID]bool{}}
}

// event takes what a watch told. It returns whether that was news.
func (e *entry) event(o metav1.Object, deleted bool) bool {
	v, uid := version(o.GetResourceVersion()), o.GetUID()
	if v <= e.seen[uid] && v > 0 {
		return false
	}
	e.seen[uid] = v
	if deleted {
		e.gone[uid] = true
	}
	e.set(o, deleted)
	return true
}

func (e *entry) set(o metav1.Object, deleted bool) {
	switch o := o.(type) {
	case *batchv1.Job:
		if !deleted {
			e.job = o
		} else if e.job != nil && e.job.UID == o.UID {
			e.job = nil
		}
	case *corev1.Pod:
		if deleted {
			delete(e.pods, o.UID)
		} else {
			e.pods[o.UID] = o
		}
	}
}

// listed takes the Job (or nil) and the pods of a list call, and the versions of
// the two lists.
func (e *entry) listed(job *batchv1.Job, jobsAt string, pods []*corev1.Pod, podsAt string, now time.Time) {
	if job == nil && e.job != nil && e.seen[e.job.UID] <= version(jobsAt) {
		e.job = nil
	}
	if job != nil && e.newer(job) {
		e.job = job
	}
	there := map[types.UID]bool{}
	for _, pod := range pods {
		there[pod.UID] = true
		if e.newer(pod) {
			e.pods[pod.UID] = pod
		}
	}
	for uid := range e.pods {
		if !there[uid] && e.seen[uid] <= version(podsAt) {
			delete(e.pods, uid)
		}
	}
	e.read, e.at = true, now
}

// newer tells whether a listed object is at least as new as what is known, and
// remembers its version: an event may come later and be older.
func (e *entry) newer(o metav1.Object) bool {
	v, uid := version(o.GetResourceVersion()), o.GetUID()
	if e.gone[uid] || v < e.seen[uid] {
		return false
	}
	e.seen[uid] = v
	return true
}

// version makes a number of a resource version. They are comparable by contract
// since Kubernetes 1.35, and were the store's revision before (KEP 5504).
func version(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// older orders pods by creation, and by name where that is the same second.
func older(a, b *corev1.Pod) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}
