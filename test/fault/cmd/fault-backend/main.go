// Command fault-backend is the backend of the fault flavor as a process of its
// own. It prints "ready" when it answers and ends on SIGTERM or SIGINT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/stephost/stephost/test/fault/backend"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fault-backend:", err)
		os.Exit(1)
	}
}

func run() error {
	socket := flag.String("socket", "", "unix socket to answer on")
	dir := flag.String("dir", "", "directory for state")
	flag.Parse()
	if *socket == "" || *dir == "" {
		return errors.New("-socket and -dir are needed")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	b, err := backend.New(*dir)
	if err != nil {
		return err
	}
	if err := os.Remove(*socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", *socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return b.Serve(ctx, l)
}
