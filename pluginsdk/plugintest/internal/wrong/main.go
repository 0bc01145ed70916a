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

// version of the handles of this flavor; the earlier one has the one before.
const version = 2

// wrongVersion is one that the manifest does not list.
const wrongVersion = 7

func main() {
	mode := os.Getenv("PLUGINTEST_WRONG")
	impl := &right{version: version}
	if old := os.Getenv("PLUGINTEST_OLD"); old != "" {
		impl.version, manifest = version-1, earlier(manifest, old)
	}
	server, err := pluginsdk.NewServer(manifest, pluginsdk.RemoteOf[Config](impl))
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
		Describe: func() (string, string, error) { return "wrong", "0.1.0", nil },
		Teardown: server.Close,
		Register: func(r grpc.ServiceRegistrar) { operatorv1.RegisterStepOperatorServer(r, w) },
	})
}
