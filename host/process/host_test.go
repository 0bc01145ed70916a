//go:build linux

package process

import (
	"context"
	"fmt"
	"os"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// The test binary is also a small host, which tests kill: with hostMode set it
// starts the plugin, begins a Submit and a Watch, prints the plugin's process id
// and waits to be killed.
const (
	hostMode    = "STEPHOST_TEST_HOST"
	hostPlugin  = "STEPHOST_TEST_PLUGIN"
	hostWitness = "STEPHOST_TEST_WITNESS"
	hostDelay   = "STEPHOST_TEST_DELAY"
	hostSockets = "STEPHOST_TEST_SOCKETS"
)

func beHost() int {
	pluginFile = os.Getenv(hostPlugin)
	m := NewManager(Options{SocketDir: os.Getenv(hostSockets)})
	s := spec()
	if os.Getenv(hostMode) == "plain" {
		s = spec("--mode=plain")
		s.TLS = tlsAuto
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := m.Acquire(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	witness := os.Getenv(hostWitness)
	go p.Client().Plan(ctx, &operatorv1.PlanRequest{Step: &operatorv1.Step{Argv: []string{"wait", witness + ".plan"}}})
	if delay := os.Getenv(hostDelay); delay != "" {
		go p.Client().Submit(ctx, &operatorv1.SubmitRequest{Step: &operatorv1.Step{Argv: []string{delay, witness}}})
		awaitFile(witness + ".started")
	}
	awaitFile(witness + ".plan.started")
	fmt.Println(p.PID())
	select {}
}

func awaitFile(path string) {
	for !exists(path) {
		time.Sleep(time.Millisecond)
	}
}
