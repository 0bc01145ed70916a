package serve

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// Options say what to serve.
type Options struct {
	// Describe names the flavor to a person who starts the file, and in the list of
	// processes. It is called while the plugin already serves, and may take
	// milliseconds. An error ends the plugin (exit 125).
	Describe func() (flavor, version string, err error)
	// Register registers the implementation of the contract. It is called once,
	// before the handshake; Session is filled then.
	Register func(grpc.ServiceRegistrar)
	// Setup, if any, is called once before Register with what the process has
	// been given. An error ends the plugin before the handshake (exit 125).
	Setup func(Session) error
	// Teardown, if any, is called once after the last call has ended, before the
	// process exits; it has TeardownLimit.
	Teardown func()
}

// Session is what a plugin process lives with.
type Session struct {
	// Context is cancelled when the plugin is told to stop. Background work of
	// the SDK (pollers, caches) hangs on it.
	Context context.Context
	// Log goes to the host's log, at the host's level.
	Log hclog.Logger
}
