package pluginsdk

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
)

// PanicError is a panic of the author's code. It counts as class system.
type PanicError struct {
	// Value of the panic.
	Value string
	// Stack of the goroutine, at most 64 KiB.
	Stack string
}

// maxStack bounds a stack: endless recursion makes one of gigabytes.
const maxStack = 64 << 10

// Error names the panic without the stack.
func (e *PanicError) Error() string { return "the flavor's code panicked: " + e.Value }

// guard runs f and makes an error of a panic, also of one that only the text of its
// error makes (a nil *exec.ExitError). The stack goes to the host, which shows it
// after everything else.
func guard(ctx context.Context, call string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p := &PanicError{Value: bound(fmt.Sprint(v), maxMessage), Stack: bound(string(debug.Stack()), maxStack)}
			Logger(ctx).Error("panic in the flavor's code", "call", call, "panic", p.Value)
			serve.Account(call, p.Value, p.Stack)
			err = p
		}
	}()
	if err = f(); err != nil {
		_ = err.Error()
	}
	return err
}
