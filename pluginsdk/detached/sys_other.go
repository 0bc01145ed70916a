//go:build !unix

package detached

import "errors"

// errReadOnly does not exist here.
var errReadOnly = errors.New("read-only file system")

// writable is not known here.
func writable(string) bool { return true }
