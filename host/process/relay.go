package process

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// AttachWait bounds the wait for a plugin under a debugger: a person has to
	// build and start it.
	AttachWait = 10 * time.Minute
	// attachPoll is how often the directory is looked at meanwhile.
	attachPoll = 100 * time.Millisecond
	// attachDial bounds one try to reach a socket there; one whose process has
	// been killed refuses at once.
	attachDial = 2 * time.Second
	// lastWord is how long a broken connection to the plugin waits for the end of
	// the lifeline: a host that stops closes both at the same time.
	lastWord = 300 * time.Millisecond
	// socketFile is the relay's own socket.
	socketFile = "plugin.sock"
)

// meeting is the file in the directory where a plugin under a debugger and the
// relay meet: the plugin's hello, and a member that it skips. It is written
// once, so that either side may be started again while the other goes on.
type meeting struct {
	lifeline.Hello
	Host hostKey `json:"host"`
}

// hostKey is the relay's key as the plugin's host; like Hello, it never prints.
type hostKey struct {
	Key string `json:"key"`
}

// Format makes every fmt verb print a hostKey without its text.
func (hostKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(key)") }

// Relay stands in for a plugin that a person has started under a debugger, and
// which listens in dir. It is executed by the host in place of the plugin, so for
// the rest of this package it is a process like any other: it has the lifeline
// and dies with the host, and it dies when the plugin goes away, which is then a
// crash. It knows nothing of the contract: bytes go through. It returns nil when
// the host has asked for the end.
//
// Package lifeline tells what the plugin does.
func Relay(ctx context.Context, dir string, stdout io.Writer) error {
	hello, stop, err := relayHello(ctx)
	if err != nil {
		return err
	}
	pairs, err := meet(dir)
	if err != nil {
		return fmt.Errorf("the directory %s for a plugin under a debugger: %w", dir, err)
	}
	inner := pairs.client()
	inner.NextProtos = []string{"h2"}
	r := &relay{dir: dir, inner: inner}
	conn, err := r.await(stop)
	if err != nil {
		if stop.Err() != nil {
			return nil
		}
		return err
	}
	_ = conn.Close() // it is there; the host's own connection comes
	outer, err := relayServer(hello)
	if err != nil {
		return err
	}
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), socketFile)
	listener, err := tls.Listen("unix", socket, outer)
	if err != nil {
		return err
	}
	defer listener.Close()
	if _, err := fmt.Fprintf(stdout, "1|%d|unix|%s|grpc|\n", lifeline.Major, socket); err != nil {
		return err
	}
	return r.serve(stop, listener)
}

// relayHello reads the host's hello; stop ends with the lifeline.
func relayHello(ctx context.Context) (lifeline.Hello, context.Context, error) {
	fd, err := strconv.Atoi(os.Getenv(lifeline.EnvFD))
	if os.Getenv(lifeline.CookieKey) != lifeline.CookieValue || err != nil {
		return lifeline.Hello{}, nil, errors.New("this command is for stephost itself, on Linux or macOS: use launch --attach-plugin")
	}
	r := bufio.NewReader(os.NewFile(uintptr(fd), "lifeline"))
	hello, err := lifeline.ReadHello(r)
	if err != nil {
		return hello, nil, err
	}
	stop, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, r)
		cancel()
	}()
	return hello, stop, nil
}

// relay is the way between one host and one plugin.
type relay struct {
	dir   string
	inner *tls.Config
}

// dial reaches the plugin: a socket in the directory behind which the holder of
// the plugin's key answers. Sockets of earlier processes may lie there.
func (r *relay) dial(ctx context.Context) (net.Conn, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Type()&os.ModeSocket == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, attachDial)
		conn, dialErr := (&tls.Dialer{Config: r.inner}).DialContext(ctx, "unix", filepath.Join(r.dir, e.Name()))
		cancel()
		if dialErr == nil {
			return conn, nil
		}
		err = errors.Join(err, dialErr)
	}
	return nil, err
}

// await waits for the plugin.
func (r *relay) await(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, AttachWait)
	defer cancel()
	tick := time.NewTicker(attachPoll)
	defer tick.Stop()
	var last error
	for {
		conn, err := r.dial(ctx)
		if conn != nil {
			return conn, nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("no plugin listens in %s: start it with %s=%s", r.dir, lifeline.EnvAttach, r.dir), last)
		case <-tick.C:
		}
	}
}

// serve carries connections until the host or the plugin ends.
func (r *relay) serve(stop context.Context, listener net.Listener) error {
	gone := make(chan error, 1)
	lost := func(err error) {
		select {
		case gone <- err:
		default:
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed with the relay
			}
			go r.carry(stop, conn, lost)
		}
	}()
	select {
	case <-stop.Done():
		return nil
	case err := <-gone:
		select {
		case <-stop.Done():
			return nil
		case <-time.After(lastWord):
			return err
		}
	}
}

// carry copies both ways; the plugin's end is told to lost.
func (r *relay) carry(ctx context.Context, host net.Conn, lost func(error)) {
	defer host.Close()
	plugin, err := r.dial(ctx)
	if plugin == nil {
		lost(errors.Join(fmt.Errorf("the plugin in %s does not answer", r.dir), err))
		return
	}
	defer plugin.Close()
	var once sync.Once
	first := make(chan bool, 1) // true: the plugin's side ended first
	go func() {
		_, _ = io.Copy(plugin, host)
		once.Do(func() { first <- false })
	}()
	go func() {
		_, _ = io.Copy(host, plugin)
		once.Do(func() { first <- true })
	}()
	if <-first {
		lost(fmt.Errorf("the plugin that a person has started in %s has ended or closed the connection", r.dir))
	}
}

// relayServer answers the host and nobody else.
func relayServer(h lifeline.Hello) (*tls.Config, error) {
	if h.TLS == nil {
		return nil, errors.New("the host sent no key pair")
	}
	cert, err := tls.X509KeyPair([]byte(h.TLS.Cert), []byte(h.TLS.Key))
	if err != nil {
		return nil, fmt.Errorf("the host's key pair: %w", err)
	}
	peer, _ := pem.Decode([]byte(h.TLS.Peer))
	if peer == nil {
		return nil, errors.New("the host's certificate is no PEM text")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		CurvePreferences: []tls.CurveID{tls.X25519}, SessionTicketsDisabled: true, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 || !bytes.Equal(s.PeerCertificates[0].Raw, peer.Bytes) {
				return errStranger
			}
			return nil
		},
	}, nil
}

// meet reads the meeting of dir, or makes it.
func meet(dir string) (*keyPairs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !private(info) {
		return nil, errors.New("it must belong to you alone (mode 0700): it holds keys")
	}
	path := filepath.Join(dir, lifeline.HelloFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if text, err = newMeeting(); err != nil {
			return nil, err
		}
		if err := placeOnce(path, text); err != nil {
			return nil, err
		}
		text, err = os.ReadFile(path) // another relay may have been first
	}
	if err != nil {
		return nil, err
	}
	pairs, err := readMeeting(text)
	if err != nil {
		return nil, fmt.Errorf("the file %s: %w; remove it", lifeline.HelloFile, err)
	}
	return pairs, nil
}

// placeOnce makes a file with its whole content, unless there is one.
func placeOnce(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

func newMeeting() ([]byte, error) {
	pairs, err := newKeyPairs()
	if err != nil {
		return nil, err
	}
	m := meeting{Hello: lifeline.Hello{Lifeline: lifeline.Version, LogLevel: "debug"}}
	if m.TLS, err = pairs.hello(); err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pairs.host.key)
	if err != nil {
		return nil, err
	}
	m.Host.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	text, err := json.Marshal(m)
	return append(text, '\n'), err
}

func readMeeting(text []byte) (*keyPairs, error) {
	var m meeting
	if json.Unmarshal(text, &m) != nil || m.TLS == nil {
		return nil, errors.New("it is not what stephost writes") // and nothing of it is quoted
	}
	host, _ := pem.Decode([]byte(m.TLS.Peer))
	plugin, _ := pem.Decode([]byte(m.TLS.Cert))
	key, _ := pem.Decode([]byte(m.Host.Key))
	if host == nil || plugin == nil || key == nil {
		return nil, errors.New("it lacks a part of a key pair")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("its key cannot be read")
	}
	return &keyPairs{host: &keyPair{key: private, der: host.Bytes}, plugin: &keyPair{der: plugin.Bytes}}, nil
}

var _ fmt.Formatter = hostKey{}
