package serve

import (
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// panicValueLimit and stackLimit bound what a panic sends, in bytes: a value
	// can be a whole response, a stack a runaway recursion.
	panicValueLimit = 2 << 10
	stackLimit      = 32 << 10
)

// recovered turns a panic into an Internal status, and writes its account to
// standard error in one piece, between lines that the host knows.
func recovered(method string, err *error) {
	r := recover()
	if r == nil {
		return
	}
	value := fmt.Sprint(r)
	if len(value) > panicValueLimit {
		value = value[:panicValueLimit] + " ... (cut)"
	}
	stack := debug.Stack()
	if len(stack) > stackLimit {
		stack = append(stack[:stackLimit], "\n... (cut)\n"...)
	}
	name := path.Base(method)
	Account(name, value, string(stack))
	*err = status.Errorf(codes.Internal, "panic in %s: %s", name, value)
}

// Account writes what is known of a panic to standard error, where the host finds
// it. Not through the log: its level may be off, and a panic is never noise.
func Account(call, value, stack string) {
	_, _ = fmt.Fprintf(os.Stderr, "%s%s: %s\n%s\n%s\n", lifeline.PanicBegin, call, value, strings.TrimRight(stack, "\n"), lifeline.PanicEnd)
}
