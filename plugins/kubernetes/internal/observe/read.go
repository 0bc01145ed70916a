package observe

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Limits of list calls.
const (
	// perList bounds the keys of one list call: 150 of 26 characters make an
	// address of 4 KB, half of what proxies commonly take.
	perList = 150
	// gather is how long newcomers are waited for, so that they share a call: far
	// below what anybody notices.
	gather = 3 * time.Millisecond
)

// readKeys reads what is wanted, and everything every ConfirmEvery.
func (h *Hub) readKeys(ctx context.Context, wake <-chan struct{}) {
	confirm := time.NewTicker(ConfirmEvery)
	defer confirm.Stop()
	errs := h.errsNow()
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-confirm.C:
			h.mu.Lock()
			h.wantAll()
			h.mu.Unlock()
			continue
		case <-wake:
		}
		if !sleep(ctx, gather) {
			return
		}
		for _, chunk := range h.takeWanted(ctx) {
			err := h.readChunk(ctx, chunk)
			if ctx.Err() != nil {
				return
			}
			h.cannot(errs, lists, err)
			if err == nil {
				pause = firstPause
				continue
			}
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, mostPause)
			h.mu.Lock()
			h.want(chunk...)
			h.mu.Unlock()
		}
	}
}

func (h *Hub) errsNow() map[string]error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errs
}

// takeWanted returns the keys to read, in chunks. Without open watches none:
// opening one wants all keys again. Nor when ctx is over: then they belong to
// whoever came after this reader.
func (h *Hub) takeWanted(ctx context.Context) [][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil || !h.open[jobs] || !h.open[pods] {
		return nil
	}
	wanted := slices.Sorted(maps.Keys(h.wanted))
	clear(h.wanted)
	return slices.Collect(slices.Chunk(wanted, perList))
}

// readChunk reads Jobs and pods of keys with two calls.
func (h *Hub) readChunk(ctx context.Context, keys []string) error {
	o := metav1.ListOptions{LabelSelector: h.selector + "," + h.keyLabel + " in (" + strings.Join(keys, ",") + ")"}
	h.count(2, 0)
	asked := time.Now()
	jobList, err := h.api.Jobs(ctx, o)
	if err != nil {
		return err
	}
	podList, err := h.api.Pods(ctx, o)
	if err != nil {
		return err
	}
	jobOf, podsOf := map[string]*batchv1.Job{}, map[string][]*corev1.Pod{}
	for i := range jobList.Items {
		j := &jobList.Items[i]
		// The first of two Jobs with one key is the run's: the second one somebody
		// else has made.
		key := j.Labels[h.keyLabel]
		if other := jobOf[key]; other == nil || j.CreationTimestamp.Before(&other.CreationTimestamp) {
			jobOf[key] = j
		}
	}
	for i := range podList.Items {
		p := &podList.Items[i]
		podsOf[p.Labels[h.keyLabel]] = append(podsOf[p.Labels[h.keyLabel]], p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if e := h.keys[key]; e != nil {
			e.listed(jobOf[key], jobList.ResourceVersion, podsOf[key], podList.ResourceVersion, asked)
		}
	}
	h.tell(keys...)
	return nil
}
