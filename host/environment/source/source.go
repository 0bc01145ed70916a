package source

import "io/fs"

// Limits of a tree.
const (
	// SizeWarning is where a tree is worth a warning: it is copied for each
	// attempt, and uploaded for remote ones.
	SizeWarning = 100 << 20
	// SizeLimit is where a scan refuses without Options.AllowLarge: beyond it,
	// the directory almost always holds data that was not meant.
	SizeLimit = 1 << 30
	// MaxEntries bounds the memory of a scan (about 300 bytes an entry).
	MaxEntries = 1_000_000
	// biggestCount is how many paths are named when a tree is large.
	biggestCount = 10
)

// Root is one directory (or file) of a tree.
type Root struct {
	// Path is absolute. It may be a link; what it points to is taken.
	Path string
	// Target is where the root lies in the tree, with slashes; "" is the top.
	Target string
	// Exclude holds patterns in the grammar of .gitignore, relative to Path.
	Exclude []string
}

// Options of a scan.
type Options struct {
	// AllowLarge lifts SizeLimit.
	AllowLarge bool
	// NeverCopy holds absolute paths that are left out wherever they lie.
	NeverCopy []string
	// CopyDir is where the tree will be copied to, if that is known: Pack then looks
	// whether there is room for it too. It need not be there yet.
	CopyDir string
}

// Kind says what an entry is.
type Kind byte

// The kinds.
const (
	File Kind = 'f'
	Dir  Kind = 'd'
	Link Kind = 'l'
)

// Entry is one path of a tree.
type Entry struct {
	// Path is relative to the tree's top, with slashes.
	Path string
	Kind Kind
	// Mode is 0644 or 0755 for files, 0755 for directories, 0777 for links.
	Mode fs.FileMode
	// Size is in bytes; files only.
	Size int64
	// Target is where a link points, relative and with slashes.
	Target string
	// Hash is the sha256 of a file's content, set by Store.Add.
	Hash [32]byte

	origin string // absolute path of what was scanned
	stat   statTuple
}

// statTuple is what must be equal for a file to count as unchanged.
type statTuple struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64 // nanoseconds since 1970
}

// Size is a path (a file, or a directory with all below it) and its bytes.
type Size struct {
	Path  string
	Bytes int64
}

// Tree is the outcome of a scan: sorted by path, each path once, parents of
// every entry present as directories. It is not safe for concurrent use.
type Tree struct {
	Entries []Entry
	// Files and Bytes count the files.
	Files int
	Bytes int64
	// Digest is "sha256:<hex>", set by Store.Add.
	Digest string
	// Warnings name ignore lines that are not valid.
	Warnings []string
}
