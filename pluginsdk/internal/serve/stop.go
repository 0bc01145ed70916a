package serve

import (
	"context"
	"os"
	"os/signal"
)

// stopper turns every way of saying stop (end of the lifeline, SIGTERM,
// go-plugin's Shutdown) into one.
type stopper struct {
	ctx context.Context
	now context.CancelFunc
}

func newStopper() *stopper {
	s := &stopper{}
	s.ctx, s.now = context.WithCancel(context.Background())
	return s
}

func (s *stopper) context() context.Context { return s.ctx }

// onSignals takes over the signals for the rest of the process's life. Those
// that mean nothing are received rather than ignored: an ignored signal stays
// ignored in every child (a shell script that counts on SIGPIPE), a received one
// is reset by exec.
func (s *stopper) onSignals() {
	deaf := make(chan os.Signal, 1) // Never read: Notify drops what does not fit.
	signal.Notify(deaf, deafSignals()...)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, stopSignals()...)
	go func() {
		<-stop
		s.now()
	}()
}
