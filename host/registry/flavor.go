package registry

import (
	"time"
)

// Status says how a flavor came to be known.
type Status string

// The statuses.
const (
	// Registered: pinned in the store by `flavor register`.
	Registered Status = "registered"
	// Shipped: lies beside the stephost binary; usable at once, pinned at its
	// first use.
	Shipped Status = "shipped"
	// Available: lies in the drop-in directory; can be described and validated
	// against, is not started before it is registered.
	Available Status = "available"
	// Dev: registered in place with --dev: not pinned, read anew at each use.
	Dev Status = "dev"
)

// Flavor is one version of a flavor. It is safe for concurrent use; its fields
// are not to be written.
type Flavor struct {
	// Name and Version come from the manifest. Version is empty when Err is set.
	Name, Version string
	// Summary is the manifest's one line.
	Summary string
	// Status says how it came to be known.
	Status Status
	// ManifestDigest is "sha256:<hex>" of the manifest. Of a Dev flavor it is
	// that of the registration; the manifest itself may have moved on.
	ManifestDigest string
	// Artifact is the implementation; nil when only the manifest is known.
	// For a flavor that is not pinned yet its SHA256 is empty.
	Artifact *Artifact
	// From is the path it was registered from, or where it lies.
	From string
	// At is when it was registered; zero when it is not.
	At time.Time
	// Warnings are sentences that a person should see at each use.
	Warnings []string
	// Note is a sentence for whoever lists flavors: about a file in the drop-in
	// directory that is not, or may not be, what is registered under its version.
	Note string
	// Err says why a file in the drop-in or shipped directory is no usable
	// flavor, or why a record cannot be read. Such a flavor is only listed.
	Err error

	reg    *Registry
	source manifestSource
	record *record    // nil when it is not registered
	scan   *scanEntry // nil unless it was found in a directory
}

// Ref is the flavor's exact name: "name@version".
func (f *Flavor) Ref() string {
	if f.Version == "" {
		return f.Name
	}
	return f.Name + "@" + f.Version
}

// The kinds of artifacts.
const (
	// KindELF, KindMachO and KindPE are executables of Linux (and its like),
	// macOS and Windows.
	KindELF   = "elf"
	KindMachO = "macho"
	KindPE    = "pe"
	// KindScript is text that an interpreter runs.
	KindScript = "script"
	// KindDirectory is a relocatable tree with an entry file in it.
	KindDirectory = "directory"
)

// Artifact is an implementation.
type Artifact struct {
	// Path is absolute: the file, or the directory, as it will be executed.
	Path string
	// Kind is one of the Kind constants.
	Kind string
	// Entry is the file in a directory that is started, relative to Path;
	// empty for a single file, and for a directory whose manifest names a
	// command without {file}.
	Entry string
	// SHA256 is the hex hash of the file, or the directory's tree hash.
	SHA256 string
	// Size is in bytes; of a directory, of all its files together.
	Size int64
	// Files is how many files a directory has.
	Files int
	// OS and Arch are those that the file was built for, in Go's words; empty
	// for scripts.
	OS, Arch string
	// Interpreter runs it; nil for native executables.
	Interpreter *Interpreter
	// Command is the argument vector with {interpreter:...}, {file} and {dir}
	// still in it; empty for a native executable that is started as it is.
	Command []string
	// Dev: in place, not pinned.
	Dev bool
	// Stat is what the file looked like when it was last hashed; of a
	// directory, the tree's combined state is in TreeStat.
	Stat     StatTuple
	TreeStat string
}

// Interpreter is what runs a script, resolved once at registration.
type Interpreter struct {
	// Name and Constraint are as the manifest or the #! line has them:
	// "python3", ">=3.10".
	Name, Constraint string
	// Path is absolute. It is pinned: PATH is not asked again.
	Path string
	// Version is what it answered to --version; empty if it was not asked.
	Version string
	// SHA256 is recorded, not enforced: an interpreter that the system
	// updated stays usable while its version fits. What it imports is not
	// pinned at all.
	SHA256 string
	Stat   StatTuple
}

// StatTuple is what a file looks like without being read. Two equal tuples mean
// "not changed" (times in nanoseconds since 1970; zero where a platform has no
// such thing).
type StatTuple struct {
	Dev   uint64 `json:"dev"`
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"`
	CTime int64  `json:"ctime"`
	Mode  uint32 `json:"mode"`
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
}

// Unpinned lists what a pinned flavor still loads from elsewhere, for
// `flavor describe`.
func (f *Flavor) Unpinned() []string {
	a := f.Artifact
	switch {
	case a == nil:
		return nil
	case a.Dev:
		return []string{"everything: it is registered in place (--dev)"}
	case a.Interpreter != nil:
		return []string{"the interpreter " + a.Interpreter.Path + " and whatever packages it imports from outside the artifact"}
	case a.Kind == KindDirectory:
		return []string{"libraries and programs outside the directory"}
	default:
		return []string{"the system's shared libraries, if it is linked to any"}
	}
}
