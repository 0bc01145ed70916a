package main

import (
	_ "embed"
	"fmt"
	"os"

	"google.golang.org/grpc"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/internal/serve"
	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

//go:embed flavor.hcl
var manifest []byte

func main() {
	mode := os.Getenv("PLUGINTEST_WRONG")
	server, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf[Config](&right{}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(serve.ExitMisuse)
	}
	w := newWrong(server, mode)
	if mode == "by-hand" && os.Getenv(lifeline.CookieKey) == "" {
		fmt.Println("hello")
		return
	}
	if isRaw(mode) {
		serveRaw(w, mode)
		return
	}
	serve.Serve(serve.Options{
		Flavor: "wrong", Version: "0.1.0", Teardown: server.Close,
		Register: func(r grpc.ServiceRegistrar) { operatorv1.RegisterStepOperatorServer(r, w) },
	})
}
