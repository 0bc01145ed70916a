// Command crowd drives many runs in one host process and prints what they cost,
// as JSON. It is a program of its own so that nothing else is in the figures.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/test/bench/internal/crowd"
)

func main() {
	var o crowd.Options
	at := flag.String("home", "", "home, with the operator in it")
	profile := flag.String("heap-profile", "", "file for a heap profile while all are running")
	flag.StringVar(&o.Socket, "socket", "", "socket of the backend")
	flag.StringVar(&o.Operator, "operator", "", "operator")
	flag.IntVar(&o.Runs, "runs", 1, "number of runs")
	flag.BoolVar(&o.Hold, "hold", false, "keep the jobs running until all was measured")
	flag.Parse()
	o.Home = home.At(*at)
	if *profile != "" {
		o.Full = func() error { return writeProfile(*profile) }
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	res, err := crowd.Run(ctx, o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(res)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func writeProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return pprof.Lookup("heap").WriteTo(f, 0)
}
