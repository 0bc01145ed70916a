package kube

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// NodeAddress is the node's own: pods reach what listens there.
const NodeAddress = "10.99.0.1"

// Expose lets the node and its pods reach what a test serves on the host's loopback
// interface: connections to an address inside of the node's network are carried to
// one outside, until Close.
func (c *Cluster) Expose(inside, outside string) (io.Closer, error) {
	l, err := c.listen(inside)
	if err != nil {
		return nil, fmt.Errorf("listen on %s of the node: %w", inside, err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go carry(conn, outside)
		}
	}()
	return l, nil
}

// listen listens in the node's network: a socket stays in the namespace where it was
// made.
func (c *Cluster) listen(address string) (net.Listener, error) {
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", c.PID))
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer network.Close()
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, os.NewSyscallError("setns", err)}
			return
		}
		l, err := net.Listen("tcp", address)
		done <- result{l, err}
	}()
	r := <-done
	return r.l, r.err
}

// carry carries one connection.
func carry(conn net.Conn, to string) {
	defer conn.Close()
	server, err := net.Dial("tcp", to)
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
}
