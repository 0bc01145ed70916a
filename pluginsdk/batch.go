package pluginsdk

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Limits of list calls.
const (
	// batchTimeout bounds one StatusBatch: many pages.
	batchTimeout = 2 * time.Minute
	// batchShare keeps a slow list call below a tenth of the time.
	batchShare = 9
	// askSingly bounds the Status calls that one list call makes necessary.
	askSingly = 8
)

// batches holds one poller per scope. A poller lives while a job of its scope is
// watched.
type batches struct {
	server *Server
	mu     sync.Mutex
	groups map[string]*batchGroup
}

type batchGroup struct {
	subs  map[*batchSub]struct{}
	wake  chan struct{}
	asked time.Time // end of the last list call
}

// batchSub is one watched job. What changes is guarded by batches.mu.
type batchSub struct {
	watch   *watch
	batches *batches
	group   *batchGroup

	pace  pace
	phase Phase
	due   time.Time
	over  bool
}

// add watches w with the list calls of its scope; the result ends that.
func (b *batches) add(w *watch) (sub *batchSub, remove func()) {
	key := w.call.target.GetScope().GetId()
	if key == "" {
		key = "config:" + w.call.credentials
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.groups == nil {
		b.groups = map[string]*batchGroup{}
	}
	g, ok := b.groups[key]
	if !ok {
		g = &batchGroup{subs: map[*batchSub]struct{}{}, wake: make(chan struct{}, 1)}
		b.groups[key] = g
		go b.run(key, g)
	}
	sub = &batchSub{watch: w, batches: b, group: g}
	g.subs[sub] = struct{}{}
	poke(g.wake)
	return sub, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(g.subs, sub)
		poke(g.wake)
	}
}

// nudge makes the poller look at once.
func (s *batchSub) nudge() {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	s.pace, s.due = pace{}, time.Time{}
	poke(s.group.wake)
}

// run polls one scope until nobody watches it.
func (b *batches) run(key string, g *batchGroup) {
	ctx := WithLogger(b.server.ctx, b.server.log.With("scope", key))
	for {
		subs, wait, done := b.collect(key, g)
		if done {
			return
		}
		if gap := pollFirst - time.Since(g.asked); wait <= 0 && gap > 0 {
			// A thousand newcomers, one after the other, are asked for together.
			if _, ok := sleep(ctx, gap, nil); !ok {
				return
			}
			continue
		}
		if wait > 0 {
			if _, ok := sleep(ctx, wait, g.wake); !ok {
				return
			}
			continue
		}
		begun := time.Now()
		b.ask(ctx, subs)
		b.plan(g, subs, time.Since(begun))
	}
}

// collect returns every watched job when one is due, else how long to wait.
func (b *batches) collect(key string, g *batchGroup) (subs []*batchSub, wait time.Duration, done bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(g.subs) == 0 {
		delete(b.groups, key)
		return nil, 0, true
	}
	wait = pollMax
	for sub := range g.subs {
		if !sub.over {
			subs = append(subs, sub)
			wait = min(wait, time.Until(sub.due))
		}
	}
	return subs, wait, false
}

// plan decides when each job is due again. One that was not due got the answer
// for nothing: its pause grows by the time that has passed, as if it had been asked
// for then, and it is due that much later. So jobs come to be asked for together,
// and calls do not grow with their number: neither does the growth of 500 pauses
// take 500 times as many calls, nor does the shortest of 500 jitters count.
func (b *batches) plan(g *batchGroup, subs []*batchSub, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, spread := time.Now(), jittered(time.Second).Seconds()
	passed := time.Duration(0)
	if !g.asked.IsZero() {
		passed = now.Sub(g.asked)
	}
	g.asked = now
	for _, sub := range subs {
		var pause time.Duration
		switch {
		case !sub.due.After(now):
			pause = sub.pace.grow()
		case sub.pace.fail == 0:
			pause = sub.pace.passed(passed)
		default:
			continue // it waits for a backend that wants that
		}
		sub.due = now.Add(max(time.Duration(float64(pause)*spread), took*batchShare))
	}
}

// ask makes one list call for subs and hands out the answers.
func (b *batches) ask(ctx context.Context, subs []*batchSub) {
	results, err := b.list(ctx, subs)
	at := time.Now()
	var alone []*batchSub
	for i, sub := range subs {
		o := observation{err: err, at: at}
		if err == nil {
			if results[i].Err == ErrAskSingly {
				alone = append(alone, sub)
				continue
			}
			o.status, o.err = results[i].Status, results[i].Err
			o = sub.watch.settle(ctx, o)
		}
		b.deliver(sub, o)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, askSingly)
	for _, sub := range alone {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			b.deliver(sub, sub.watch.ask(ctx))
		})
	}
	wg.Wait()
}

// list asks with the credentials of one job. When they are refused it tries
// every other set once: one run's expired token must not blind the others.
func (b *batches) list(ctx context.Context, subs []*batchSub) ([]StatusResult, error) {
	hs := make([]Handle, len(subs))
	for i, sub := range subs {
		hs[i] = sub.watch.handle
	}
	tried := map[string]bool{}
	var last error
	for _, sub := range subs {
		c := sub.watch.call
		if tried[c.credentials] {
			continue
		}
		tried[c.credentials] = true
		var results []StatusResult
		ctx, cancel := context.WithTimeout(ctx, batchTimeout)
		err := b.server.scopes.check(ctx, c, scopeAge)
		if err == nil {
			err = guard(ctx, "StatusBatch", func() (err error) { results, err = c.session.batch(ctx, hs); return err })
		}
		cancel()
		if err == nil && len(results) != len(hs) {
			err = System(fmt.Errorf("StatusBatch returned %d results for %d handles", len(results), len(hs)))
		}
		if err == nil {
			return results, nil
		}
		last = err
		if e := askOf(err); e == nil || (e.Ask != AskAuth && e.Ask != AskWrongScope) {
			break
		}
	}
	return nil, last
}

// deliver hands o to the stream without waiting: a newer answer replaces one
// that was not sent yet.
func (b *batches) deliver(sub *batchSub, o observation) {
	b.mu.Lock()
	switch {
	case sub.over:
		b.mu.Unlock()
		return
	case o.terminal():
		sub.over = true
	case o.err != nil:
		sub.due = time.Now().Add(sub.pace.failed(o.err))
	case sub.phase != 0 && sub.phase != o.status.Phase:
		sub.pace.reset(pollChanged)
	}
	if o.err == nil {
		sub.phase = o.status.Phase
	}
	b.mu.Unlock()
	for {
		select {
		case sub.watch.out <- o:
			return
		default:
		}
		select {
		case <-sub.watch.out:
		default:
		}
	}
}
