package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// attachWait bounds the wait for `stephost launch --attach-plugin`, which
	// makes the directory and the keys at its first use.
	attachWait = time.Hour
	attachPoll = 100 * time.Millisecond
	// attachedBound replaces the bounds of the author's code then: a person thinks
	// at a breakpoint.
	attachedBound = 4 * time.Hour
)

// attachedKey marks the calls of a plugin that a person has started.
type attachedKey struct{}

// Bounded bounds a call of the author's code by d, or by attachedBound.
func Bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if ctx.Value(attachedKey{}) != nil {
		d = max(d, attachedBound)
	}
	return context.WithTimeout(ctx, d)
}

// attach prepares serving for a plugin that a person has started, for example
// under a debugger: what the environment and the lifeline bring otherwise comes
// from the directory. See package lifeline.
func attach(o Options, dir string, stop *stopper, stderr io.Writer) (lifeline.Hello, error) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt) // from the terminal of its author
	go func() {
		<-interrupted
		stop.now()
	}()
	flavor, _, err := o.Describe()
	if err != nil {
		return lifeline.Hello{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return lifeline.Hello{}, err
	}
	fmt.Fprintf(stderr, "The flavor %s waits in %s. Use it with:\n\n  stephost launch --attach-plugin %s=%s STEP\n\n", flavor, dir, flavor, dir)
	hello, err := awaitHello(filepath.Join(dir, lifeline.HelloFile), stop)
	if err != nil {
		return hello, err
	}
	for name, value := range map[string]string{
		lifeline.CookieKey: lifeline.CookieValue, envSocketDir: dir, "PLUGIN_PROTOCOL_VERSIONS": strconv.Itoa(lifeline.Major),
	} {
		if err := os.Setenv(name, value); err != nil {
			return hello, err
		}
	}
	return hello, nil
}

// awaitHello reads the hello as soon as it is there.
func awaitHello(path string, stop *stopper) (lifeline.Hello, error) {
	tick := time.NewTicker(attachPoll)
	defer tick.Stop()
	until := time.Now().Add(attachWait)
	for {
		f, err := os.Open(path)
		if err == nil {
			defer f.Close()
			return lifeline.ReadHello(bufio.NewReader(f))
		}
		if !errors.Is(err, os.ErrNotExist) {
			return lifeline.Hello{}, err
		}
		if time.Now().After(until) {
			return lifeline.Hello{}, fmt.Errorf("no stephost has come within %s", attachWait)
		}
		select {
		case <-tick.C:
		case <-stop.context().Done():
			return lifeline.Hello{}, errors.New("stopped before a stephost came")
		}
	}
}
