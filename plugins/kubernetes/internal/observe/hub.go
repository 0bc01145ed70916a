package observe

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// API is what a hub asks.
type API interface {
	Jobs(ctx context.Context, o metav1.ListOptions) (*batchv1.JobList, error)
	Pods(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error)
	WatchJobs(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
	WatchPods(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// Times of a hub.
const (
	// ConfirmEvery is below the host's heartbeat of 15 s: then the SDK has no
	// reason to ask for each job alone.
	ConfirmEvery = 10 * time.Second
	// linger keeps the watches between two subscriptions: a watch that the SDK
	// calls again after an error, a launch right behind another one.
	linger = 20 * time.Second
)

// Hub watches one namespace.
type Hub struct {
	api API
	// selector chooses what the watches show; keyLabel names a key's objects.
	selector, keyLabel string

	mu      sync.Mutex
	keys    map[string]*entry
	errs    map[string]error // by what cannot be asked: "jobs", "pods", "lists"
	open    map[string]bool  // which watches are open
	wanted  map[string]bool  // keys to be read
	wake    chan struct{}    // there is something to read
	stop    context.CancelFunc
	stopped chan struct{}
	idle    *time.Timer
	lists   int // calls made, for tests
	watches int
}

// New makes a hub. It does nothing until somebody subscribes.
func New(api API, selector, keyLabel string) *Hub {
	return &Hub{api: api, selector: selector, keyLabel: keyLabel, keys: map[string]*entry{}}
}

// State is what is known of a key. The objects are shared: they must not be
// changed.
type State struct {
	// Known: the key was read at least once.
	Known bool
	// Job is nil when there is none.
	Job *batchv1.Job
	// Pods by creation.
	Pods []*corev1.Pod
	// At is when this was last confirmed.
	At time.Time
	// Err: nobody can be asked just now.
	Err error
}

// Subscription is one subscriber's view of a key.
type Subscription struct {
	hub     *Hub
	key     string
	changed chan struct{}
}

// Subscribe begins to observe a key.
func (h *Hub) Subscribe(key string) *Subscription {
	s := &Subscription{hub: h, key: key, changed: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil {
		h.start()
	}
	if h.idle != nil {
		h.idle.Stop()
		h.idle = nil
	}
	e := h.keys[key]
	if e == nil {
		e = newEntry()
		h.keys[key] = e
		h.want(key)
	}
	e.subscribers[s] = true
	poke(s.changed)
	return s
}

// Changed is ready when State has news, or confirms what it said.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// State returns what is known now.
func (s *Subscription) State() State {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.keys[s.key]
	if e == nil {
		return State{}
	}
	state := State{Known: e.read, Job: e.job, At: e.at, Pods: slices.SortedFunc(maps.Values(e.pods), older)}
	for _, what := range []string{jobs, pods, lists} {
		if err := h.errs[what]; err != nil {
			state.Err = err
		}
	}
	return state
}

// Refresh has the key read again, after something was done to it.
func (s *Subscription) Refresh() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.want(s.key)
}

// Close ends the subscription.
func (s *Subscription) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.keys[s.key]
	if e == nil || !e.subscribers[s] {
		return
	}
	delete(e.subscribers, s)
	if len(e.subscribers) > 0 {
		return
	}
	delete(h.keys, s.key)
	delete(h.wanted, s.key)
	if len(h.keys) == 0 && h.stop != nil {
		h.idle = time.AfterFunc(linger, h.rest)
	}
}

// Idle tells whether nobody is subscribed.
func (h *Hub) Idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.keys) == 0
}

// Calls counts the list calls and watches that were made.
func (h *Hub) Calls() (lists, watches int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lists, h.watches
}

// rest ends the watches when nobody came back.
func (h *Hub) rest() {
	h.mu.Lock()
	if len(h.keys) > 0 || h.stop == nil {
		h.mu.Unlock()
		return
	}
	h.end()
}

// Close ends the watches and waits for that.
func (h *Hub) Close() {
	h.mu.Lock()
	if h.idle != nil {
		h.idle.Stop()
	}
	if h.stop == nil {
		h.mu.Unlock()
		return
	}
	stopped := h.stopped
	h.end()
	<-stopped
}

// end stops the goroutines; h.mu is held and released.
func (h *Hub) end() {
	h.stop()
	h.stop = nil
	h.mu.Unlock()
}

// start begins to watch; h.mu is held.
func (h *Hub) start() {
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.stopped = stop, make(chan struct{})
	h.errs, h.open, h.wanted = map[string]error{}, map[string]bool{}, map[string]bool{}
	h.wake = make(chan struct{}, 1)
	for key := range h.keys {
		h.want(key)
	}
	var all sync.WaitGroup
	for _, k := range h.kinds() {
		f := &follower{hub: h, kind: k, errs: h.errs, open: h.open}
		all.Go(func() { f.run(ctx) })
	}
	wake := h.wake
	all.Go(func() { h.readKeys(ctx, wake) })
	stopped := h.stopped
	go func() {
		all.Wait()
		close(stopped)
	}()
}

// want has a key read; h.mu is held.
func (h *Hub) want(keys ...string) {
	if h.wanted == nil {
		return
	}
	for _, key := range keys {
		h.wanted[key] = true
	}
	poke(h.wake)
}

// wantAll has every key read; h.mu is held.
func (h *Hub) wantAll() { h.want(slices.Collect(maps.Keys(h.keys))...) }

// tell wakes the subscribers of keys; h.mu is held.
func (h *Hub) tell(keys ...string) {
	for _, key := range keys {
		if e := h.keys[key]; e != nil {
			for s := range e.subscribers {
				poke(s.changed)
			}
		}
	}
}

// cannot notes that something cannot be asked, or (nil) that it can again.
func (h *Hub) cannot(errs map[string]error, what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := errs[what]
	errs[what] = err
	if before == nil && err == nil || before != nil && err != nil && before.Error() == err.Error() {
		return
	}
	if err == nil {
		h.wantAll()
	}
	h.tell(slices.Collect(maps.Keys(h.keys))...)
}

// poke puts a value into a channel of capacity one, without waiting.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
