package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// listenOnHost listens in the network namespace that kubeup was started in.
// A socket stays in the namespace where it was made.
func listenOnHost(address string) (net.Listener, error) {
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(hostNetwork, unix.CLONE_NEWNET); err != nil {
			done <- result{nil, os.NewSyscallError("setns", err)}
			return
		}
		l, err := net.Listen("tcp", address)
		done <- result{l, err}
	}()
	r := <-done
	return r.l, r.err
}

// relay carries connections from the host's loopback interface to the same
// address inside. While it is closed, the host's port refuses.
type relay struct {
	address string
	listen  func() (net.Listener, error)
	mu      sync.Mutex
	l       net.Listener
}

// newRelay takes a port of the host that is free.
func newRelay() (*relay, error) {
	l, err := listenOnHost("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a port on the host: %w", err)
	}
	r := &relay{address: l.Addr().String(), l: l}
	r.listen = func() (net.Listener, error) { return listenOnHost(r.address) }
	go r.serve(l)
	return r, nil
}

// listenHere is for what pods reach: the address of the API server's Service, which on
// other nodes a proxy answers for.
func listenHere(address string) func() (net.Listener, error) {
	return func() (net.Listener, error) { return net.Listen("tcp", address) }
}

func (r *relay) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.l.Close()
}

func (r *relay) reopen() error {
	l, err := r.listen()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.l = l
	r.mu.Unlock()
	go r.serve(l)
	return nil
}

func (r *relay) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer conn.Close()
			server, err := net.Dial("tcp", r.address)
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(server, conn)
				// The client's end of input ends the server's, not its answer.
				_ = server.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(conn, server)
		}()
	}
}
