package manifest

import (
	"github.com/stephost/stephost/host/schema"
	"slices"
	"time"
)

// Limits on what is read.
const (
	// MaxManifest is the size of a manifest in bytes.
	MaxManifest = 256 << 10
	// MaxFile is the size of a file that is scanned for a manifest.
	MaxFile = 1 << 30
)

// Manifest is what a flavor says about itself. It is not changed after it was
// read, and safe to share.
type Manifest struct {
	Name, Version, Summary string
	// Protocol lists the majors of the contract that the flavor speaks.
	Protocol []int
	// Environments are what the host may prepare for a step, in order of
	// preference: "image", "directory", "none".
	Environments []string
	// EnvironmentKinds say which of them depend on the config.
	EnvironmentKinds []EnvironmentKind
	Capabilities     []string
	// Secrets is what happens to step secrets: "store", "visible" or "none".
	Secrets string
	// Outputs is how a step hands over results: "directory", "uri" or "none".
	Outputs string
	// Handles are the handle versions that this flavor version understands.
	Handles []int
	// PassEnv are names of environment variables that the plugin gets besides
	// the baseline; a trailing "*" stands for any rest.
	PassEnv    []string
	Submission Submission
	Schema     *schema.Schema
	// Exec is how a script is started; nil for what can be executed itself.
	Exec *Exec
	// TLS is "" for the SDK's mutual TLS or "auto" for go-plugin's AutoMTLS.
	TLS string
	// SDK names the SDK that the plugin was built with, where its file does
	// not tell.
	SDK string
	// MachineArch is the architecture of the machines that run steps, for
	// example "amd64"; "" = unknown.
	MachineArch string
	// Prerequisites and Permissions are Markdown for the generated page.
	Prerequisites, Permissions string
	// Digest is "sha256:" and the hex hash of Source.
	Digest string
	// Source is the text without the header line.
	Source []byte
	// File is where it was read from.
	File string
}

// Submission is what the backend promises about creating jobs.
type Submission struct {
	// Idempotency is "key" (a second creating call with the same key gives the
	// same job), "search" (a job can be found by its key) or "none".
	Idempotency string
	// KeyLives is how long a key stays taken: "forever", "while_exists" or
	// "while_running"; "" unless Idempotency is "key".
	KeyLives string
	// Settle is how long a fresh job may stay unfindable.
	Settle time.Duration
	// Keeps is how long an ended job stays findable; 0 = not at all.
	Keeps time.Duration
}

// Exec is the command that starts a flavor that is not an executable itself.
// "{file}" stands for the flavor's file (or "{dir}" for its directory), and
// "{interpreter:python3>=3.10}" for an interpreter that registration resolves.
type Exec struct{ Command []string }

// Can tells whether the flavor has a capability.
func (m *Manifest) Can(capability string) bool { return slices.Contains(m.Capabilities, capability) }
