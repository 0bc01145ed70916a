package process

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// DefaultStartTimeout bounds exec to first answer. Go plugins need 10 ms; a
	// Python one that imports a cloud SDK from a cold disk needs many seconds,
	// and a crash is noticed at once, not by this.
	DefaultStartTimeout = 30 * time.Second
	// upstreamSlack is how much longer go-plugin's own start timeout is, so that
	// ours always speaks first.
	upstreamSlack = 5 * time.Second
	// streamWindow and connWindow are HTTP/2's flow control windows: large
	// enough that a log stream over a local socket does not stop for updates,
	// small enough that a thousand idle streams promise nothing that hurts.
	streamWindow = 256 << 10
	connWindow   = 4 << 20
	// socketPathLimit is the shortest of the platforms' limits of a socket path
	// (macOS), and socketName what go-plugin adds to the directory.
	socketPathLimit = 103
	socketName      = len("/plugin-dir4294967295/plugin4294967295")
)

// The values of Spec.TLS. tlsNone exists for the benchmark alone.
const (
	tlsMutual = ""
	tlsAuto   = "auto"
	tlsNone   = "none, for benchmarks"
)

// starting is one start of one process; it implements go-plugin's Runner. Nothing
// of it is used twice, because nothing of go-plugin's can be.
type starting struct {
	ctx    context.Context
	spec   *Spec
	exe    *Executable
	env    []string
	level  string
	config *goplugin.ClientConfig
	keys   chan madeKeys

	cmdEnv    []string // go-plugin's variables
	socketDir string
	child     *child
	out       *stdout
	err       *stderr
	// spawned is closed when child, or its absence, is settled.
	spawned chan struct{}
	settled sync.Once
}

type madeKeys struct {
	pairs *keyPairs
	err   error
}

// start starts a process and checks that it is the right one. ctx bounds the
// whole; when it fails nothing is left behind.
func (m *Manager) start(ctx context.Context, spec Spec) (_ *process, err error) {
	fail := func(stage Stage, err error) error {
		return &StartError{Flavor: spec.Flavor, Version: spec.Version, Stage: stage, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.startTimeout(spec.Attached))
	defer cancel()
	if err := CheckPassEnv(spec.PassEnv); err != nil {
		return nil, fail(StageOpen, err)
	}
	dir, err := m.o.socketBase()
	if err != nil {
		return nil, fail(StageOpen, err)
	}
	if dir != "" && dir == m.o.SocketDir {
		// Not the system's temporary directory: that one is not ours.
		m.sweepOnce.Do(func() { m.work.Go(func() { sweep(dir, time.Now()) }) })
	}
	exe, err := spec.Executable(ctx)
	if err != nil {
		return nil, err // The registry's errors speak for themselves.
	}
	if exe.Close != nil {
		defer exe.Close()
	}
	if len(exe.Argv) == 0 {
		return nil, fail(StageOpen, errors.New("the command is empty"))
	}

	log := m.o.logger().Named("flavor").With("flavor", spec.Flavor)
	if level, ok := m.o.Levels[spec.Flavor]; ok {
		log.SetLevel(level)
	}
	p := &process{
		spec: spec, manager: m, log: log, calls: newCallCount(),
		done: make(chan struct{}), gone: make(chan struct{}), stuck: make(chan struct{}),
		hard: make(chan struct{}), killed: make(chan struct{}),
	}
	st := &starting{
		ctx: ctx, spec: &p.spec, exe: exe, level: log.GetLevel().String(),
		env: environment(m.o.environ(), spec.PassEnv),
		out: newStdout(log), err: newStderr(log, m.o.Redact),
		spawned: make(chan struct{}),
	}
	st.err.panicked = p.panicked
	p.st = st
	if spec.TLS == tlsMutual && lifelines {
		// Made while the kernel forks and the plugin's runtime comes up.
		st.keys = make(chan madeKeys, 1)
		go func() {
			pairs, err := newKeyPairs()
			st.keys <- madeKeys{pairs, err}
		}()
	}
	st.config = &goplugin.ClientConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: lifeline.CookieKey, MagicCookieValue: lifeline.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{lifeline.Major: {"operator": dispenser{}}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			st.cmdEnv, st.socketDir = cmd.Env, dir
			return st, nil
		},
		SkipHostEnv:      true,
		AutoMTLS:         spec.TLS == tlsAuto || (spec.TLS == tlsMutual && !lifelines),
		StartTimeout:     m.o.startTimeout(spec.Attached) + upstreamSlack,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		// go-plugin's view of starts and ends; this package has its own.
		Logger:          hclog.NewNullLogger(),
		SyncStdout:      strayWriter{log},
		SyncStderr:      strayWriter{log},
		GRPCDialOptions: p.calls.dialOptions(),
	}
	p.client = goplugin.NewClient(st.config)
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (o *Options) startTimeout(attached bool) time.Duration {
	switch {
	case attached:
		return AttachWait
	case o.StartTimeout > 0:
		return o.StartTimeout
	}
	return DefaultStartTimeout
}

func (o *Options) logger() hclog.Logger {
	if o.Logger != nil {
		return o.Logger
	}
	return hclog.NewNullLogger()
}

// socketBase is a directory in which a socket's path is short enough: bind fails
// with "invalid argument" in one that is too long (a long home, a CI's TMPDIR).
func (o *Options) socketBase() (string, error) {
	if !lifelines {
		return "", nil
	}
	if o.SocketDir != "" && len(o.SocketDir)+socketName <= socketPathLimit {
		if err := os.MkdirAll(o.SocketDir, 0o700); err == nil {
			return o.SocketDir, nil
		}
	}
	for _, dir := range []string{os.TempDir(), "/tmp"} {
		if len(dir)+socketName <= socketPathLimit {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no directory for the plugin's socket: TMPDIR=%s is too long", os.TempDir())
}

// Start is called by go-plugin.
func (s *starting) Start(context.Context) error {
	defer s.settle()
	c, err := spawn(s.ctx, childSpec{
		exe: s.exe, env: slices.Concat(s.env, s.cmdEnv),
		leash: s.spec.TLS == tlsAuto,
	})
	if err != nil {
		return &StartError{Flavor: s.spec.Flavor, Version: s.spec.Version, Stage: StageExec, Err: err}
	}
	s.child = c
	go s.out.read(c.stdout)
	go s.err.read(c.stderr)
	return s.greet()
}

func (s *starting) settle() { s.settled.Do(func() { close(s.spawned) }) }

// greet sends the hello. The pipe is empty and larger than the hello, so writing
// never waits; a plugin that has already ended is noticed elsewhere.
func (s *starting) greet() error {
	hello := lifeline.Hello{LogLevel: s.level, Insecure: s.spec.TLS == tlsNone}
	if s.keys != nil {
		made := <-s.keys
		if made.err != nil {
			return made.err
		}
		var err error
		if hello.TLS, err = made.pairs.hello(); err != nil {
			return err
		}
		// go-plugin reads it when it dials, after this.
		s.config.TLSConfig = made.pairs.client()
	}
	if s.child.life == nil {
		return nil
	}
	err := lifeline.WriteHello(s.child.life, hello)
	if isBrokenPipe(err) {
		return nil
	}
	return err
}

// tls is the connection's configuration, for tests.
func (s *starting) tls() *tls.Config { return s.config.TLSConfig }

// Diagnose is called by go-plugin; the errors of this package say it better.
func (s *starting) Diagnose(context.Context) string { return "" }

// Name is for go-plugin's log.
func (s *starting) Name() string { return s.exe.Argv[0] }

// ID is the process id, as go-plugin's Kill wants it.
func (s *starting) ID() string {
	if s.child == nil {
		return ""
	}
	return strconv.Itoa(s.child.pid)
}

// Wait is called by go-plugin.
func (s *starting) Wait(context.Context) error {
	<-s.child.exited
	return nil
}

// Kill is called by go-plugin when a start fails, and at the end of its own idea
// of a graceful stop. When and how to kill is for this package.
func (s *starting) Kill(context.Context) error { return nil }

// PluginToHost checks the address of the handshake: a local one.
func (s *starting) PluginToHost(network, address string) (string, string, error) {
	switch {
	case network == "unix" && filepath.IsAbs(address):
	case network == "tcp" && isLoopback(address):
	default:
		return "", "", fmt.Errorf("the plugin listens on %s %s, which is no local address", network, address)
	}
	return network, address, nil
}

// HostToPlugin is for the broker, which is not used.
func (s *starting) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// dispenser hands out the contract's client.
type dispenser struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (dispenser) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the host serves nothing")
}

func (dispenser) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return operatorv1.NewStepOperatorClient(conn), nil
}

var (
	_ runner.Runner       = (*starting)(nil)
	_ goplugin.GRPCPlugin = dispenser{}
)
