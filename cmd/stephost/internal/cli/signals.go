//go:build !front

package cli

import (
	"os"
	"os/signal"
	"sync"
)

// interrupts receives the signals of one command and gives each to whoever is
// responsible at the moment: while a step is resolved that ends the command,
// while a run is driven it stores a cancel. Handlers run one after another, on
// a goroutine of their own, so that a blocked terminal delays none.
type interrupts struct {
	ch   chan os.Signal
	done chan struct{}
	over sync.WaitGroup

	mu      sync.Mutex
	handler func(os.Signal)
	seen    []os.Signal // came before there was a handler that could use them
}

// catch begins to receive signals. One that was ignored when the command
// started (nohup, a job in the background of a script) stays ignored. The pipe
// signal is received and dropped: a reader that went away ends the printing,
// never the run. It must not be ignored by its disposition, which child
// processes would inherit.
func catch(handler func(os.Signal)) *interrupts {
	i := &interrupts{ch: make(chan os.Signal, 16), done: make(chan struct{}), handler: handler}
	for _, s := range handledSignals() {
		if !signal.Ignored(s) {
			signal.Notify(i.ch, s)
		}
	}
	i.over.Go(i.run)
	return i
}

func (i *interrupts) run() {
	for {
		select {
		case <-i.done:
			return
		case s := <-i.ch:
			if isPipe(s) {
				continue
			}
			i.mu.Lock()
			i.seen = append(i.seen, s)
			handle := i.handler
			i.mu.Unlock()
			handle(s)
		}
	}
}

// handOver makes another handler responsible. It gets what has come so far: a
// signal that came while the run was created is not lost.
func (i *interrupts) handOver(handler func(os.Signal)) {
	i.mu.Lock()
	i.handler = handler
	before := i.seen
	i.seen = nil
	i.mu.Unlock()
	for _, s := range before {
		handler(s)
	}
}

// first is the first signal since the last handOver, nil without one.
func (i *interrupts) first() os.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.seen) == 0 {
		return nil
	}
	return i.seen[0]
}

// stop gives the signals their former meaning back.
func (i *interrupts) stop() {
	signal.Stop(i.ch)
	close(i.done)
	i.over.Wait()
}
