package pluginsdk

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	"google.golang.org/grpc"
)

// Version of the SDK, part of GetMetadata.
const Version = "0.1.0"

// Exit codes of Main for a person at a shell.
const (
	exitOK     = 0
	exitMisuse = 125
)

// Main is the whole main function of a flavor:
//
//	//go:embed flavor.hcl
//	var manifest []byte
//
//	func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(hive{})) }
//
// The sub-commands `version` and `manifest` answer a person. Without one it
// serves the host that started the process. Main does not return.
func Main(manifest []byte, impl Implementation) {
	if code, done := command(os.Args, manifest, os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	// The host's greeting, its connection and its TLS need nothing of the manifest,
	// which takes milliseconds to read: both at once.
	server := newServer(manifest, impl)
	serve.Serve(serve.Options{
		Describe: func() (flavor, version string, err error) {
			m, err := server.manifest()
			if err != nil {
				return "", "", err
			}
			return m.name, m.version, nil
		},
		Setup: func(s serve.Session) error {
			server.start(s.Context, s.Log)
			return nil
		},
		Register: func(r grpc.ServiceRegistrar) { server.Register(r) },
		Teardown: server.Close,
	})
}

// command answers the sub-commands for people; done = false means "serve".
func command(args []string, data []byte, stdout, stderr io.Writer) (code int, done bool) {
	if len(args) < 2 {
		return exitOK, false
	}
	switch args[1] {
	case "manifest":
		if _, err := stdout.Write(data); err != nil {
			return exitMisuse, true
		}
		return exitOK, true
	case "version", "--version":
		m, err := readManifest(data)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitMisuse, true
		}
		fmt.Fprintf(stdout, "%s %s (stephost flavor, protocol %v, SDK %s%s)\n", m.name, m.version, m.protocol, Version, revision())
		return exitOK, true
	}
	fmt.Fprintf(stderr, "unknown command %q: a flavor knows `version` and `manifest`.\nTo use it: stephost flavor register %s\n", args[1], args[0])
	return exitMisuse, true
}

// revision is ", commit X" where the build knows it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return ", commit " + s.Value[:12]
		}
	}
	return ""
}
