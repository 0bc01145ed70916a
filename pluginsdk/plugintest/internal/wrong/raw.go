package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// isRaw tells whether a mode is about the process itself.
func isRaw(mode string) bool {
	return slices.Contains([]string{
		"raw", "open-door", "small-messages", "dies-on-sigint", "ignores-sigterm", "ignores-lifeline",
		"leaves-child", "leaves-socket", "cuts-submit", "exit-code",
	}, mode)
}

// serveRaw serves w without the SDK's server, as a plugin in another language
// does.
func serveRaw(w *wrong, mode string) {
	if os.Getenv(lifeline.CookieKey) == "" {
		fmt.Fprintln(os.Stderr, "a stephost flavor: register it")
		os.Exit(125)
	}
	fd, _ := strconv.Atoi(os.Getenv(lifeline.EnvFD)) // 0 fails below
	life := os.NewFile(uintptr(fd), "lifeline")
	r := bufio.NewReader(life)
	hello, err := lifeline.ReadHello(r)
	fatal(err)
	cert, err := tls.X509KeyPair([]byte(hello.TLS.Cert), []byte(hello.TLS.Key))
	fatal(err)
	block, _ := pem.Decode([]byte(hello.TLS.Peer))
	config := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			if mode != "open-door" && !bytes.Equal(s.PeerCertificates[0].Raw, block.Bytes) {
				return errors.New("a stranger")
			}
			return nil
		}}
	if mode == "open-door" {
		config.ClientAuth = tls.NoClientCert
	}
	size := lifeline.MaxMessage
	if mode == "small-messages" {
		size = 4 << 20
	}
	options := []grpc.ServerOption{grpc.Creds(credentials.NewTLS(config)), grpc.MaxRecvMsgSize(size), grpc.MaxSendMsgSize(size)}
	server := grpc.NewServer(options...)
	operatorv1.RegisterStepOperatorServer(server, w)
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "plugin.sock")
	listener, err := net.Listen("unix", socket)
	fatal(err)
	if mode == "leaves-socket" {
		listener.(*net.UnixListener).SetUnlinkOnClose(false)
	}
	var child *exec.Cmd
	if mode == "leaves-child" {
		child = exec.Command("sleep", "60")
		fatal(child.Start())
	}
	stop := make(chan string, 2)
	signals(mode, stop)
	go func() {
		_, _ = io.Copy(io.Discard, r)
		if mode != "ignores-lifeline" {
			stop <- "lifeline"
		}
	}()
	go func() { end(server, w, mode, <-stop) }()
	fmt.Printf("1|1|unix|%s|grpc|\n", socket)
	_ = server.Serve(listener)
	select {} // end exits
}

// signals takes over what a plugin must take over.
func signals(mode string, stop chan<- string) {
	if mode != "dies-on-sigint" {
		signal.Ignore(syscall.SIGINT)
	}
	signal.Ignore(syscall.SIGHUP)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		if mode != "ignores-sigterm" {
			stop <- "signal"
		}
	}()
}

// end is an orderly stop, unless the mode is about that.
func end(server *grpc.Server, w *wrong, mode, why string) {
	if mode != "cuts-submit" {
		for until := time.Now().Add(lifeline.SubmitGrace); w.submitting() && time.Now().Before(until); {
			time.Sleep(10 * time.Millisecond)
		}
		// The answers must go out.
		time.Sleep(50 * time.Millisecond)
	}
	server.Stop()
	w.Close()
	if mode == "exit-code" && why == "lifeline" {
		os.Exit(3)
	}
	os.Exit(0)
}

func (w *wrong) submitting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.inFlight {
		if n > 0 {
			return true
		}
	}
	return false
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
}
