package process

import (
	"context"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Options configure a Manager. The zero value works.
type Options struct {
	// HostVersion and HostCapabilities are told to plugins on first contact.
	HostVersion      string
	HostCapabilities []string
	// Logger takes the plugins' own logs, with the flavor's name. Nil: nowhere.
	Logger hclog.Logger
	// SocketDir is where socket directories are made; it is created with mode
	// 0700. Empty, or too long for a socket path: the system's temporary
	// directory.
	SocketDir string
	// Environ is the host's environment, asked at every start, so that renewed
	// credentials reach the next process. Nil: os.Environ.
	Environ func() []string
	// Redact replaces secret values in a line of a plugin's standard error
	// before it is logged or kept. Nil: nothing is replaced. It is called from
	// several goroutines.
	Redact func(line string) string
	// Panicked, if any, is told each panic of a plugin, or exception in the code of
	// one in Python: it is for a person, after everything else. It must not block,
	// and is called from several goroutines.
	Panicked func(Panic)
	// Linger is how long a process without users is kept. 0: DefaultLinger;
	// negative: not at all.
	Linger time.Duration
	// StartTimeout bounds the time from exec to the first answer. 0:
	// DefaultStartTimeout.
	StartTimeout time.Duration
	// Levels are the log levels of single flavors, where they differ from
	// Logger's. Logger must be made with IndependentLevels then.
	Levels map[string]hclog.Level
}

// Panic is what a plugin has said about a mistake in its code.
type Panic struct {
	Flavor, Version string
	// Text is the message and the stack, at most panicLimit bytes; secret values
	// are out of it.
	Text string
}

// Spec says which plugin is wanted. Two Specs with the same Flavor, Version,
// ManifestDigest, PassEnv and TLS share one process.
type Spec struct {
	Flavor, Version string
	// ManifestDigest ("sha256:<hex>") is what the plugin must answer. Empty: not
	// compared.
	ManifestDigest string
	// DigestOptional accepts a plugin that knows no digest of its own (""), as
	// the contract allows for one whose manifest lies beside it.
	DigestOptional bool
	// PassEnv are names, or patterns with * and ?, of host variables that are
	// passed beside the baseline. A pattern of stars alone is refused.
	PassEnv []string
	// TLS is "" (keys made by the host, sent over the lifeline) or "auto"
	// (go-plugin's AutoMTLS, for plugins that do not read the lifeline).
	TLS string
	// Attached says that Executable is a Relay: behind it is a plugin that a
	// person has started, perhaps under a debugger. Its start may take
	// AttachWait.
	Attached bool
	// Executable opens the verified file. It is called once per start.
	Executable func(ctx context.Context) (*Executable, error)
}

// Executable is a file that was checked and may be started once.
type Executable struct {
	// Argv is the command with its arguments. Argv[0] is what is executed,
	// unless File is set, and then only its name.
	Argv []string
	// Env are NAME=value pairs that the program needs besides its usual
	// environment.
	Env []string
	// File, if any, is the open descriptor of the checked ELF file: what is
	// executed is what was hashed, whatever happened to the path. Linux only.
	File *os.File
	// Close, if any, is called when File and Argv are no longer needed.
	Close func()
}
