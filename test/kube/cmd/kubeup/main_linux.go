package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// PR_SET_PDEATHSIG follows the thread that forked, not the process. The main
// thread lives as long as the process does, so all children are made on it.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) != 4 {
		fatal(fmt.Errorf("usage: kubeup control-plane|node K8S DIR"))
	}
	k8s, dir := os.Args[2], os.Args[3]
	switch os.Args[1] {
	case "control-plane":
		fatal(controlPlane(k8s, dir))
	case "node":
		fatal(outside(k8s, dir))
	case "init": // PID 1 of the namespaces
		fatal(initProcess(k8s, dir))
	case "inside":
		fatal(inside(k8s, dir))
	default:
		fatal(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubeup:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// say writes one line of the protocol.
func say(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings and numbers
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// started is what a test needs to know.
type started struct {
	Ready      bool   `json:"ready"`
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	Server6    string `json:"server6,omitempty"`
	Registry   string `json:"registry,omitempty"`
	Image      string `json:"image,omitempty"`
	Node       string `json:"node,omitempty"`
}

// controlPlane starts etcd, API server, controllers and scheduler, and serves.
func controlPlane(k8s, dir string) error {
	held, err := hold(dir)
	if err != nil {
		return err
	}
	defer held.Close()
	s := newSet(k8s, dir)
	defer s.killAll()
	free, err := freeAddresses(3)
	if err != nil {
		return err
	}
	if err := s.startControlPlane(free[0], free[1], free[2]); err != nil {
		return err
	}
	say(started{Ready: true, Kubeconfig: s.kubeconfig(), Server: "https://" + free[0]})
	return serve(s)
}

// serve obeys commands until standard input ends.
func serve(s *set) error {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		verb, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := s.obey(verb, name); err != nil {
			say(map[string]string{"error": err.Error()})
		} else {
			say(map[string]string{"done": verb + " " + name})
		}
	}
}
