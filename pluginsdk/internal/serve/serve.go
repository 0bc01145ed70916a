package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// ExitMisuse is the exit code of a plugin that cannot serve: a person has
	// started it, or the host's hello is unusable.
	ExitMisuse = 125
	// TeardownLimit bounds Options.Teardown: enough to remove a few temporary
	// files, and short beside the host's patience.
	TeardownLimit = 2 * time.Second

	// helloTimeout bounds the wait for the hello. The host writes it right after
	// the start; only a stopped host takes longer.
	helloTimeout = 10 * time.Second
	// flushLimit bounds the wait for cancelled calls to return and for replies to
	// reach the host. Both take microseconds with an author who heeds contexts.
	flushLimit = time.Second

	// envSocketDir is go-plugin's.
	envSocketDir = goplugin.EnvUnixSocketDir
)

// Serve serves until it is told to stop, and then exits the process: 0 after an
// orderly stop, ExitMisuse when there is no host to serve. It does not return,
// and is called once, from main.
func Serve(o Options) { os.Exit(run(o, os.Stderr)) }

// run is Serve with an exit code in place of an exit.
func run(o Options, stderr io.Writer) int {
	by, attached := os.LookupEnv(lifeline.EnvAttach)
	if os.Getenv(lifeline.CookieKey) != lifeline.CookieValue && !attached {
		hint(stderr, o)
		return ExitMisuse
	}
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
		fmt.Fprintf(stderr, "the stephost flavor %s cannot serve: %v\n", o.Flavor, err)
		return ExitMisuse
	}
	tlsProvider, err := provider(hello, os.Getenv("PLUGIN_CLIENT_CERT") != "")
	if err != nil {
		fmt.Fprintf(stderr, "the stephost flavor %s cannot serve: %v\n", o.Flavor, err)
		return ExitMisuse
	}
	setProcessName("stephost-" + o.Flavor)

	log := hclog.New(&hclog.LoggerOptions{Level: level(hello.LogLevel), Output: stderr, JSONFormat: !attached})
	session, endSession := context.WithCancel(context.Background())
	defer endSession()
	p := &plugin{
		o: o, stdio: stdio{out: os.Stdout, err: os.Stderr},
		calls:   newCalls(stop.context()),
		session: Session{Context: session, Log: log},
	}
	p.calls.attached = attached
	socketDir := os.Getenv(envSocketDir)

	// go-plugin's Serve returns when the host has called its Shutdown, which is
	// one more way of saying stop, or when it could not serve.
	go func() {
		defer stop.now()
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: lifeline.CookieKey, MagicCookieValue: lifeline.CookieValue},
			VersionedPlugins: map[int]goplugin.PluginSet{lifeline.Major: {"operator": p}},
			GRPCServer:       p.server,
			TLSProvider:      tlsProvider,
			Logger:           quiet(log),
		})
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

// plugin is what go-plugin serves.
type plugin struct {
	goplugin.NetRPCUnsupportedPlugin
	o       Options
	stdio   stdio
	calls   *calls
	session Session

	mu   sync.Mutex
	grpc *grpc.Server
	exit atomic.Int32
}

// server is go-plugin's hook for making the gRPC server.
func (p *plugin) server(opts []grpc.ServerOption) *grpc.Server {
	s := grpc.NewServer(append(opts,
		grpc.MaxRecvMsgSize(lifeline.MaxMessage),
		grpc.MaxSendMsgSize(lifeline.MaxMessage),
		grpc.ChainUnaryInterceptor(p.stdio.unary, p.calls.unary),
		grpc.ChainStreamInterceptor(p.stdio.stream, p.calls.stream),
	)...)
	p.mu.Lock()
	p.grpc = s
	p.mu.Unlock()
	return s
}

// GRPCServer is go-plugin's hook for registering services. It is the first
// moment at which go-plugin has read all of its variables, and the last before
// the author's code.
func (p *plugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	unexport()
	if p.o.Setup != nil {
		if err := p.o.Setup(p.session); err != nil {
			p.exit.Store(ExitMisuse)
			return err
		}
	}
	p.o.Register(s)
	return nil
}

// GRPCClient is never called: the host has its own.
func (p *plugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("the plugin's side has no client")
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

// hint is for the person who has started the file.
func hint(w io.Writer, o Options) {
	path, err := os.Executable()
	if err != nil {
		path = os.Args[0]
	}
	fmt.Fprintf(w, "This is the stephost flavor %s, version %s: a plugin, which stephost starts when a step is launched.\n"+
		"By itself it does nothing. Register it with:\n\n  stephost flavor register %s\n",
		o.Flavor, o.Version, filepath.Clean(path))
}

// level is the hclog level of a hello.
func level(name string) hclog.Level {
	if l := hclog.LevelFromString(name); l != hclog.NoLevel {
		return l
	}
	return hclog.Info
}

// quiet is log for go-plugin's own messages, which are of no use below a
// warning ("plugin address", one line per interrupt).
func quiet(log hclog.Logger) hclog.Logger {
	q := log.Named("go-plugin")
	if q.GetLevel() < hclog.Warn {
		q = hclog.New(&hclog.LoggerOptions{Name: "go-plugin", Level: hclog.Warn, Output: os.Stderr, JSONFormat: true})
	}
	return q
}

var (
	_ goplugin.GRPCPlugin         = (*plugin)(nil)
	_ func() (*tls.Config, error) = tlsFunc(nil)
)
