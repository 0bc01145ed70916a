// Command testflavor is a plugin for the tests of host/process and serve: a real
// process that serves the contract with package serve and misbehaves on request.
// It is never shipped.
//
// Its flags decide how it starts, the step's argv in Plan and Submit what a call
// does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func main() {
	mode := flag.String("mode", "", "how to start")
	name := flag.String("flavor", "test", "name in GetMetadata")
	version := flag.String("version", "1.2.3", "version in GetMetadata")
	digest := flag.String("digest", "sha256:00", "digest in GetMetadata")
	protocol := flag.Int("protocol", 1, "major in GetMetadata")
	flag.Parse()

	switch *mode {
	case "hang":
		hang()
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot find libfoo")
		os.Exit(3)
	case "panic":
		panic("at the start")
	case "garbage":
		os.Stdout.Write([]byte("\x00\x01\xff\x1b[31mred\n\x7fELF"))
		os.Exit(0)
	case "flood":
		for {
			if _, err := fmt.Println(strings.Repeat("la ", 100)); err != nil {
				os.Exit(0)
			}
		}
	case "banner":
		fmt.Println("Welcome to libbanner 7")
	case "major":
		fmt.Println("1|2|unix|/nowhere|grpc|")
		hang()
	case "elsewhere":
		fmt.Println("1|1|tcp|192.0.2.1:80|grpc|")
		hang()
	case "holder":
		// Somebody outside the group holds both pipes, and there is no handshake.
		detached("3")
		os.Exit(4)
	}
	impl := &operator{meta: &operatorv1.GetMetadataResponse{
		Flavor: *name, Version: *version, Protocol: []int32{int32(*protocol)}, ManifestDigest: *digest,
	}}
	if *mode == "slip" {
		impl.asked, impl.never = make(chan struct{}), make(chan struct{})
	}
	if *mode == "plain" {
		plain(impl)
		return
	}
	serve.Serve(serve.Options{
		Describe: func() (string, string, error) {
			if *mode == "slip" { // which is found while the plugin already serves
				<-impl.asked
				return "", "", fmt.Errorf("code and manifest do not agree")
			}
			return *name, *version, nil
		},
		Register: func(r grpc.ServiceRegistrar) { operatorv1.RegisterStepOperatorServer(r, impl) },
		Setup: func(s serve.Session) error {
			impl.log = s.Log
			if *mode == "setup" {
				return fmt.Errorf("the setup failed")
			}
			return nil
		},
		Teardown: func() {
			if *mode == "teardown" {
				hang()
			}
		},
	})
}

// plain serves with go-plugin alone, as an author without the SDK does.
func plain(impl *operator) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: lifeline.CookieKey, MagicCookieValue: lifeline.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{1: {"operator": plainPlugin{impl: impl}}},
		GRPCServer:       goplugin.DefaultGRPCServer,
	})
}

type plainPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	impl *operator
}

func (p plainPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	operatorv1.RegisterStepOperatorServer(s, p.impl)
	return nil
}

func (plainPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

type operator struct {
	operatorv1.UnimplementedStepOperatorServer
	meta *operatorv1.GetMetadataResponse
	log  hclog.Logger
	// asked is closed by GetMetadata, which then waits for never; both may be nil.
	asked, never chan struct{}
}

func (o *operator) GetMetadata(context.Context, *operatorv1.GetMetadataRequest) (*operatorv1.GetMetadataResponse, error) {
	if o.asked != nil {
		close(o.asked)
		<-o.never
	}
	return o.meta, nil
}

// Plan does what the step's argv says and answers with text.
func (o *operator) Plan(ctx context.Context, r *operatorv1.PlanRequest) (*operatorv1.PlanResponse, error) {
	argv := r.GetStep().GetArgv()
	arg := func(i int) string {
		if i < len(argv) {
			return argv[i]
		}
		return ""
	}
	text := ""
	switch arg(0) {
	case "env": // What a child of the author's code would see.
		text = strings.Join(slices.Sorted(slices.Values(os.Environ())), "\n")
	case "fds": // What a child of the author's code has open.
		out, err := exec.Command("/bin/sh", "-c", "ls -l /proc/self/fd").CombinedOutput()
		if err != nil {
			return nil, err
		}
		text = string(out)
	case "stdin":
		b := make([]byte, 1)
		_, err := os.Stdin.Read(b)
		text = fmt.Sprint(err)
	case "exe":
		text, _ = os.Executable()
	case "size":
		n, _ := strconv.Atoi(arg(1))
		text = strings.Repeat("x", n)
	case "count":
		text = strconv.Itoa(len(arg(1)))
	case "panic":
		panic("in a handler: " + arg(1))
	case "die":
		go panic("in a goroutine")
		<-ctx.Done()
	case "exit":
		code, _ := strconv.Atoi(arg(1))
		os.Exit(code)
	case "stdout":
		n, _ := strconv.Atoi(arg(1))
		fmt.Println(strings.Repeat("s", n))
		text = "printed"
	case "stderr":
		n, _ := strconv.Atoi(arg(1))
		fmt.Fprintln(os.Stderr, strings.Repeat("e", n))
		text = "printed"
	case "log":
		o.log.Debug("a detail")
		o.log.Warn("a message", "colour", "red", "secret", arg(1))
		text = "logged"
	case "grandchild": // In the group, holding standard error.
		cmd := exec.Command("sleep", "600")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		text = strconv.Itoa(cmd.Process.Pid)
	case "detached": // Outside the group, holding standard error.
		text = strconv.Itoa(detached(arg(1)))
	case "wait":
		_ = os.WriteFile(arg(1)+".started", nil, 0o600)
		<-ctx.Done()
		_ = os.WriteFile(arg(1), []byte("cancelled"), 0o600)
		return nil, ctx.Err()
	case "deaf": // Never notices that it is cancelled.
		hang()
	case "chatter": // Logs and prints until it cannot, and says that it lives.
		for i := range 100_000 {
			fmt.Fprintln(os.Stderr, "chatter", i, strings.Repeat(".", 200))
			fmt.Println("chatter", i)
		}
		text = "done"
	}
	return &operatorv1.PlanResponse{Request: text}, nil
}

// Submit waits as long as argv[0] says and then leaves a witness at argv[1]:
// "submitted", or "cancelled" when its context was.
func (o *operator) Submit(ctx context.Context, r *operatorv1.SubmitRequest) (*operatorv1.SubmitResponse, error) {
	argv := r.GetStep().GetArgv()
	d, err := time.ParseDuration(argv[0])
	if err != nil {
		return nil, err
	}
	witness := "submitted"
	_ = os.WriteFile(argv[1]+".started", nil, 0o600)
	select {
	case <-time.After(d):
		// More output than a pipe holds, to a host that may be gone.
		for range 2000 {
			o.log.Warn(strings.Repeat("w", 100))
			fmt.Println(strings.Repeat("p", 100))
		}
	case <-ctx.Done():
		witness = "cancelled"
	}
	tmp := argv[1] + ".tmp"
	if err := os.WriteFile(tmp, []byte(witness), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, argv[1]); err != nil {
		return nil, err
	}
	return &operatorv1.SubmitResponse{Outcome: &operatorv1.SubmitResponse_Accepted_{
		Accepted: &operatorv1.SubmitResponse_Accepted{NativeName: filepath.Base(argv[1])},
	}}, nil
}

// Watch sends one heartbeat and then nothing, until it is cancelled.
func (o *operator) Watch(_ *operatorv1.WatchRequest, s grpc.ServerStreamingServer[operatorv1.WatchResponse]) error {
	if err := s.Send(&operatorv1.WatchResponse{Event: &operatorv1.WatchResponse_Heartbeat{Heartbeat: &operatorv1.Heartbeat{}}}); err != nil {
		return err
	}
	<-s.Context().Done()
	return s.Context().Err()
}

// detached starts a sleep in a session of its own that holds this process's
// output.
func detached(seconds string) int {
	cmd := exec.Command("sleep", seconds)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	return cmd.Process.Pid
}

// hang never returns. An empty select would, in a program without cgo: the runtime ends
// it when every goroutine waits for nothing.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}
