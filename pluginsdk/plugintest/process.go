package plugintest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// startTimeout bounds exec to handshake, as the host does.
	startTimeout = 30 * time.Second
	// stopLimit is how long the host waits for the end of a plugin without a
	// Submit, and slack for a busy machine.
	stopLimit = 3*time.Second + 2*time.Second
	// termLimit and killLimit are the last two steps of a stop.
	termLimit = 2 * time.Second
	killLimit = 5 * time.Second
	// socketPathLimit is the shortest of the platforms' limits of a socket path.
	socketPathLimit = 103
	// handshakeLine and prefaceLimit bound what is read until the handshake.
	handshakeLine = 16 << 10
	prefaceLimit  = 64 << 10
)

var handshakeForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{1,4}\|-?\d{1,9}\|[a-z]+\|[^|]+\|`)
})

// process is one process of the plugin.
type process struct {
	cmd       *exec.Cmd
	pid       int
	client    operatorv1.StepOperatorClient
	conn      *grpc.ClientConn
	life      *os.File
	lifeOnce  sync.Once
	socketDir string
	network   string
	address   string
	peer      []byte // certificate of the plugin
	auto      bool

	stdout, stderr *capture // what was printed besides the handshake; the log
	handshake      chan string

	exited    chan struct{}
	exit      error // of cmd.Wait; valid then
	leftovers []string
	expected  bool // the suite has ended it
	orderly   bool // it was asked to end, and ended by itself
}

// startProcess starts the plugin as the host does. Nothing is left when it fails.
func (s *suite) startProcess(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p := &process{stdout: &capture{}, stderr: &capture{}, handshake: make(chan string, 1), exited: make(chan struct{})}
	p.auto = s.m.tls == "auto" || !lifelines
	host, err := newKeyPair("stephost host")
	if err != nil {
		return nil, err
	}
	if p.socketDir, err = socketDir(); err != nil {
		return nil, err
	}
	env := append(s.pluginEnv(),
		lifeline.CookieKey+"="+lifeline.CookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR="+p.socketDir, "PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000")
	hello := lifeline.Hello{LogLevel: "info"}
	if p.auto {
		env = append(env, "PLUGIN_CLIENT_CERT="+host.certPEM())
	} else {
		own, err := newKeyPair("stephost plugin")
		if err != nil {
			return nil, err
		}
		if hello.TLS, err = helloTLS(host, own); err != nil {
			return nil, err
		}
		p.peer = own.der
	}
	if err := p.spawn(s.command, env, &hello); err != nil {
		_ = os.RemoveAll(p.socketDir)
		return nil, &startError{fmt.Errorf("the plugin cannot be started: %w", err)}
	}
	if err := p.connect(ctx, host); err != nil {
		p.kill()
		return nil, &startError{fmt.Errorf("%w%s", err, p.tail())}
	}
	s.processes = append(s.processes, p)
	return p, nil
}

// spawn starts the process and the goroutines that read from it.
func (p *process) spawn(command, env []string, hello *lifeline.Hello) error {
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	theirs = append(theirs, outW)
	errR, errW, err := os.Pipe()
	if err != nil {
		outR.Close()
		return err
	}
	theirs = append(theirs, errW)
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, outW, errW
	ownGroup(p.cmd)
	if lifelines && hello != nil {
		r, w, err := os.Pipe()
		if err != nil {
			outR.Close()
			errR.Close()
			return err
		}
		theirs = append(theirs, r)
		p.life = w
		p.cmd.ExtraFiles = []*os.File{r}
		p.cmd.Env = append(p.cmd.Env, lifeline.EnvFD+"=3")
	}
	if err := p.cmd.Start(); err != nil {
		outR.Close()
		errR.Close()
		p.endLifeline()
		return err
	}
	p.pid = p.cmd.Process.Pid
	var readers sync.WaitGroup
	readers.Go(func() { p.readStdout(outR) })
	readers.Go(func() { p.stderr.copy(errR) })
	go func() {
		p.exit = p.cmd.Wait()
		p.leftovers = groupMembers(p.pid)
		killGroup(p.pid)
		// Somebody who has left the group may keep the pipes open for ever.
		done := make(chan struct{})
		go func() { readers.Wait(); close(done) }()
		within(done, time.Second)
		outR.Close()
		errR.Close()
		close(p.exited)
	}()
	if p.life != nil {
		if err := lifeline.WriteHello(p.life, *hello); err != nil && !errors.Is(err, errBrokenPipe) {
			return err
		}
	}
	return nil
}

// readStdout finds the handshake line; everything else is a stray.
func (p *process) readStdout(f *os.File) {
	r := bufio.NewReaderSize(f, handshakeLine)
	total := 0
	for total <= prefaceLimit {
		line, err := r.ReadSlice('\n')
		total += len(line)
		if err == nil && handshakeForm().Match(line) {
			p.handshake <- strings.TrimSpace(string(line))
			break
		}
		p.stdout.add(line)
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
	p.stdout.copy(r)
}

// connect waits for the handshake and dials.
func (p *process) connect(ctx context.Context, host *keyPair) error {
	var line string
	select {
	case line = <-p.handshake:
	case <-p.exited:
		return fmt.Errorf("the plugin ended before the handshake: %s", p.how())
	case <-ctx.Done():
		return fmt.Errorf("the plugin printed no handshake line within %s", startTimeout)
	}
	parts := strings.Split(line, "|")
	if len(parts) < 5 || parts[0] != "1" || parts[1] != "1" || parts[4] != "grpc" {
		return fmt.Errorf("the handshake line is %q, expected 1|1|unix|/path/of/the/socket|grpc|", printable(line, 200))
	}
	p.network, p.address = parts[2], parts[3]
	if (p.network != "unix" || !filepath.IsAbs(p.address)) && p.network != "tcp" {
		return fmt.Errorf("the plugin listens on %s %s, which is no local address", p.network, printable(p.address, 200))
	}
	if p.auto {
		var err error
		if p.peer, err = handshakeCert(append(parts, "")[5]); err != nil {
			return err
		}
	}
	conn, err := p.dial(host)
	if err != nil {
		return err
	}
	p.conn, p.client = conn, operatorv1.NewStepOperatorClient(conn)
	// go-plugin's server needs somebody who empties what it collects.
	go p.drainStdio()
	return nil
}

// dial makes a connection with the certificate own.
func (p *process) dial(own *keyPair) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///plugin",
		grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(own, p.peer))),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, p.network, p.address)
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(lifeline.MaxMessage), grpc.MaxCallSendMsgSize(lifeline.MaxMessage)))
}

// endLifeline tells the plugin to stop.
func (p *process) endLifeline() {
	p.lifeOnce.Do(func() {
		if p.life != nil {
			p.life.Close()
		}
	})
}

// stop asks for the end, louder and louder, and waits for it.
func (p *process) stop() {
	p.expected = true
	p.endLifeline()
	limit := stopLimit
	if p.auto {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = p.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
		cancel()
	}
	p.orderly = within(p.exited, limit)
	if !p.orderly && !p.over() {
		terminate(p.pid)
		p.orderly = within(p.exited, termLimit)
	}
	p.kill()
}

// kill ends the process group at once and removes what it left.
func (p *process) kill() {
	p.expected = true
	if !p.over() { // else its number may be somebody else's by now
		killGroup(p.pid)
		within(p.exited, killLimit)
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
	p.endLifeline()
	if p.orderly {
		left, _ := os.ReadDir(p.socketDir)
		for _, e := range left {
			p.leftovers = append(p.leftovers, "the file "+e.Name()+" in the directory for its socket")
		}
	}
	_ = os.RemoveAll(p.socketDir)
}

// over tells whether the process has ended.
func (p *process) over() bool { return closed(p.exited) }

// how says how the process ended. Valid when it is over.
func (p *process) how() string {
	if !p.over() {
		return "it still runs"
	}
	if p.exit == nil {
		return "exit code 0"
	}
	return p.exit.Error()
}

// tail is the end of the plugin's own log, for an error.
func (p *process) tail() string {
	const lines = 10
	all := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	text := strings.Join(all[max(0, len(all)-lines):], "\n")
	if text == "" {
		return ""
	}
	return "\nits last lines on standard error:\n" + printable(text, maxDetail)
}

// socketDir makes a private directory in which a socket's path is short enough.
func socketDir() (string, error) {
	for _, base := range []string{os.TempDir(), "/tmp"} {
		if len(base)+len("/pt4294967295/plugin4294967295") <= socketPathLimit || runtime.GOOS == "windows" {
			return os.MkdirTemp(base, "pt")
		}
	}
	return "", fmt.Errorf("no directory for the plugin's socket: TMPDIR=%s is too long", os.TempDir())
}

// baseline are the variables that the host passes to every plugin.
func baseline() []string {
	return []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "LC_*", "TZ",
		"XDG_*", "KRB5CCNAME", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
		"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "USERNAME", "USERDOMAIN",
		"HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "ALLUSERSPROFILE", "PROGRAMFILES",
		"PROGRAMFILES(X86)", "COMMONPROGRAMFILES", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
	}
}

// pluginEnv is the environment of a plugin's process.
func (s *suite) pluginEnv() []string {
	patterns := slices.Concat(baseline(), s.m.passEnv)
	var env []string
	for _, kv := range os.Environ() {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" || strings.HasPrefix(name, "PLUGIN_") || name == lifeline.EnvFD || name == lifeline.CookieKey {
			continue
		}
		if slices.ContainsFunc(patterns, func(p string) bool { ok, err := path.Match(p, name); return ok && err == nil }) {
			env = append(env, kv)
		}
	}
	return append(env, s.c.Env...)
}

// within waits for c at most d.
func within(c <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return closed(c)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
