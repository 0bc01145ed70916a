package observe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// What can fail to be asked.
const (
	jobs  = "jobs"
	pods  = "pods"
	lists = "lists"
)

// Pauses after something could not be asked: short at first, because an API
// server that restarts is back in seconds.
const (
	firstPause = 200 * time.Millisecond
	mostPause  = 5 * time.Second
)

// kind is one of the two watches.
type kind struct {
	name  string
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// now returns the present version of the kind's list, cheaply.
	now func(context.Context) (string, error)
}

func (h *Hub) kinds() []kind {
	// A list of one object: its version is what is asked for.
	one := metav1.ListOptions{LabelSelector: h.selector, Limit: 1}
	return []kind{
		{jobs, h.api.WatchJobs, func(ctx context.Context) (string, error) {
			l, err := h.api.Jobs(ctx, one)
			if err != nil {
				return "", err
			}
			return l.ResourceVersion, nil
		}},
		{pods, h.api.WatchPods, func(ctx context.Context) (string, error) {
			l, err := h.api.Pods(ctx, one)
			if err != nil {
				return "", err
			}
			return l.ResourceVersion, nil
		}},
	}
}

// follower keeps one watch open.
type follower struct {
	hub  *Hub
	kind kind
	errs map[string]error
	open map[string]bool
	at   string // version behind which the watch goes on; "" = the present
}

// run keeps the watch open until ctx ends.
func (f *follower) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		told, err := f.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if told {
			pause = firstPause
		}
		if err == nil {
			// The server ends watches now and then; that is no news. The pause keeps
			// one that ends them at once from being asked without end.
			if !sleep(ctx, firstPause/10) {
				return
			}
			continue
		}
		f.closed()
		f.hub.cannot(f.errs, f.kind.name, err)
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, mostPause)
	}
}

// once opens the watch and reads it to its end. told = it was open.
func (f *follower) once(ctx context.Context) (told bool, err error) {
	if f.at == "" {
		f.closed()
		f.hub.count(1, 0)
		if f.at, err = f.kind.now(ctx); err != nil {
			return false, err
		}
	}
	f.hub.count(0, 1)
	w, err := f.kind.watch(ctx, metav1.ListOptions{LabelSelector: f.hub.selector, ResourceVersion: f.at, AllowWatchBookmarks: true})
	if expired(err) {
		f.at = ""
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer w.Stop()
	f.opened()
	f.hub.cannot(f.errs, f.kind.name, nil)
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case e, ok := <-w.ResultChan():
			if !ok {
				return true, nil
			}
			if err := f.take(e); err != nil {
				return true, err
			}
			if f.at == "" {
				return true, nil
			}
		}
	}
}

// take takes one event.
func (f *follower) take(e watch.Event) error {
	if e.Type == watch.Error {
		err := apierrors.FromObject(e.Object)
		if expired(err) {
			f.at = ""
			return nil
		}
		return err
	}
	o, ok := e.Object.(metav1.Object)
	if !ok {
		return fmt.Errorf("the watch of %s sent a %T", f.kind.name, e.Object)
	}
	if o.GetResourceVersion() != "" {
		f.at = o.GetResourceVersion()
	}
	if e.Type == watch.Bookmark {
		return nil
	}
	h := f.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	key := o.GetLabels()[h.keyLabel]
	if entry := h.keys[key]; entry != nil && entry.event(o, e.Type == watch.Deleted) {
		if entry.read {
			entry.at = time.Now()
		}
		h.tell(key)
	}
	return nil
}

func (f *follower) opened() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if !f.open[f.kind.name] {
		// It is open anew, perhaps behind what was missed.
		f.open[f.kind.name] = true
		f.hub.wantAll()
	}
}

func (f *follower) closed() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.open[f.kind.name] = false
}

// expired tells whether the server has forgotten the version.
func expired(err error) bool {
	return err != nil && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err))
}

func (h *Hub) count(lists, watches int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lists += lists
	h.watches += watches
}

// sleep waits for about d; false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d - d/5 + time.Duration(rand.Int64N(int64(d/5)*2+1)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
