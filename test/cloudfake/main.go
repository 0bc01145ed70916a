package cloudfake

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Service is what a fake's process serves.
type Service struct {
	// Handler answers everything that is not below AdminPath.
	Handler http.Handler
	Admin   *Admin
	// Endpoints are further addresses by name, for services that listen
	// themselves. "http" is this one.
	Endpoints map[string]string
	// Close ends what runs.
	Close func() error
}

// Main is the life of a fake's process: -listen ADDRESS -dir DIRECTORY. It prints
// one line, `ready {"http":"http://127.0.0.1:PORT"}`, when it answers, and ends
// on SIGTERM or SIGINT.
func Main(open func(ctx context.Context, dir string) (*Service, error)) {
	if err := run(open); err != nil {
		fmt.Fprintln(os.Stderr, os.Args[0]+":", err)
		os.Exit(1)
	}
}

func run(open func(ctx context.Context, dir string) (*Service, error)) (err error) {
	address := flag.String("listen", "127.0.0.1:0", "address on loopback to answer on")
	dir := flag.String("dir", "", "directory for state")
	flag.Parse()
	if *dir == "" {
		return errors.New("-dir is needed")
	}
	if host, _, err := net.SplitHostPort(*address); err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("%s is no address on loopback: a fake runs what it is told to", *address)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	l, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	service, err := open(ctx, *dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	admin := service.Admin.Handler()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, AdminPath) {
			admin.ServeHTTP(w, r)
			return
		}
		service.Handler.ServeHTTP(w, r)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	ready := map[string]string{"http": "http://" + l.Addr().String()}
	for name, at := range service.Endpoints {
		ready[name] = at
	}
	line, err := json.Marshal(ready)
	if err != nil {
		return err
	}
	fmt.Printf("ready %s\n", line)
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
