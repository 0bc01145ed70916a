package serve

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/stephost/stephost/internal/gcstart"
	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// ExitMisuse is the exit code of a plugin that cannot serve: a person has
	// started it, or the host's hello is unusable.
	ExitMisuse = lifeline.ExitMisuse
	// TeardownLimit bounds Options.Teardown: enough to remove a few temporary
	// files, and short beside the host's patience.
	TeardownLimit = 2 * time.Second

	// helloTimeout bounds the wait for the hello. The host writes it right after
	// the start; only a stopped host takes longer.
	helloTimeout = 10 * time.Second
	// flushLimit bounds the wait for cancelled calls to return and for replies to
	// reach the host. Both take microseconds with an author who heeds contexts.
	flushLimit = time.Second
)

// Serve serves until it is told to stop, and then exits the process: 0 after an
// orderly stop, ExitMisuse when there is no host to serve. It does not return,
// and is called once, from main.
func Serve(o Options) { os.Exit(run(o, os.Stderr)) }

// run is Serve with an exit code in place of an exit.
func run(o Options, stderr io.Writer) int {
	by, attached := os.LookupEnv(lifeline.EnvAttach)
	if os.Getenv(lifeline.CookieKey) != lifeline.CookieValue && !attached {
		return hint(stderr, o)
	}
	gcstart.Settle()
	stop := newStopper()
	stop.onSignals()
	var hello lifeline.Hello
	var err error
	if attached {
		hello, err = attach(o, by, stop, stderr)
	} else {
		hello, err = openLifeline(stop)
	}
	if err != nil {
		fmt.Fprintf(stderr, "this stephost flavor cannot serve: %v\n", err)
		return ExitMisuse
	}
	config, err := tlsConfig(hello, os.Getenv(envClientCert) != "")
	if err != nil {
		fmt.Fprintf(stderr, "this stephost flavor cannot serve: %v\n", err)
		return ExitMisuse
	}
	log := hclog.New(&hclog.LoggerOptions{Level: level(hello.LogLevel), Output: stderr, JSONFormat: !attached})
	session, endSession := context.WithCancel(context.Background())
	defer endSession()
	p := &plugin{
		o:       o,
		calls:   newCalls(stop.context()),
		session: Session{Context: session, Log: log},
	}
	p.calls.attached = attached
	socketDir := os.Getenv(envSocketDir)

	go func() {
		flavor, _, err := o.Describe()
		if err != nil {
			cannotStart(stderr, err)
			p.exit.Store(ExitMisuse)
			stop.now()
			return
		}
		setProcessName("stephost-" + flavor)
	}()
	go func() {
		defer stop.now()
		if err := p.serve(stop, config, os.Stdout); err != nil && stop.context().Err() == nil {
			log.Error("the plugin cannot serve", "error", err)
			p.exit.Store(ExitMisuse)
		}
	}()

	<-stop.context().Done()
	p.end(endSession)
	if socketDir != "" && !attached {
		// The host removes it too, but the host may be gone. Only an empty
		// directory goes.
		_ = os.Remove(socketDir)
	}
	return int(p.exit.Load())
}

// plugin is what is served.
type plugin struct {
	o       Options
	calls   *calls
	session Session

	mu   sync.Mutex
	grpc *grpc.Server
	exit atomic.Int32
}

// server makes the gRPC server.
func (p *plugin) server(opts []grpc.ServerOption) *grpc.Server {
	s := grpc.NewServer(append(opts,
		grpc.MaxRecvMsgSize(lifeline.MaxMessage),
		grpc.MaxSendMsgSize(lifeline.MaxMessage),
		grpc.ChainUnaryInterceptor(p.calls.unary),
		grpc.ChainStreamInterceptor(p.calls.stream),
	)...)
	p.mu.Lock()
	p.grpc = s
	p.mu.Unlock()
	return s
}

// register registers the contract. All variables of the host have been read, and
// the author's code comes next.
func (p *plugin) register(s *grpc.Server) error {
	unexport()
	if p.o.Setup != nil {
		if err := p.o.Setup(p.session); err != nil {
			return err
		}
	}
	p.o.Register(s)
	return nil
}

// end is the orderly stop: see package lifeline for the order.
func (p *plugin) end(endSession context.CancelFunc) {
	inFlight := p.calls.wait(lifeline.SubmitGrace)
	p.mu.Lock()
	s := p.grpc
	p.mu.Unlock()
	if s != nil {
		if inFlight {
			within(flushLimit, s.GracefulStop)
		}
		// Closes the listener, and with it removes the socket.
		s.Stop()
	}
	endSession()
	if p.o.Teardown != nil {
		within(TeardownLimit, p.o.Teardown)
	}
}

// within runs f and waits for it at most limit.
func within(limit time.Duration, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// hint is for the person who has started the file. It returns the exit code.
func hint(w io.Writer, o Options) int {
	flavor, version, err := o.Describe()
	if err != nil {
		cannotStart(w, err)
		return ExitMisuse
	}
	path, err := os.Executable()
	if err != nil {
		path = os.Args[0]
	}
	fmt.Fprintf(w, "This is the stephost flavor %s, version %s: a plugin, which stephost starts when a step is launched.\n"+
		"By itself it does nothing. Register it with:\n\n  stephost flavor register %s\n",
		flavor, version, filepath.Clean(path))
	return ExitMisuse
}

// cannotStart says what an author has to mend.
func cannotStart(w io.Writer, err error) { fmt.Fprintf(w, "this flavor cannot start: %v\n", err) }

// level is the hclog level of a hello.
func level(name string) hclog.Level {
	if l := hclog.LevelFromString(name); l != hclog.NoLevel {
		return l
	}
	return hclog.Info
}
