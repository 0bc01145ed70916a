//go:build unix

package runner

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// tooLongError says that the kernel takes no arguments and variables as long as the
// step's: no other attempt could do better.
type tooLongError struct{ text string }

func (e *tooLongError) Error() string { return e.text }

// tooLong names the longest one, without its value.
func tooLong(argv, env []string) error {
	what, longest, all := "", 0, 0
	look := func(name, text string) {
		size := len(text) + 1 // the kernel counts the NUL at its end
		if all += size; size > longest {
			what, longest = name, size
		}
	}
	for i, arg := range argv {
		look(fmt.Sprintf("argument %d of the command", i), arg)
	}
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		look(fmt.Sprintf("the variable %.80q", name), kv)
	}
	const next = "hand it over in a file"
	// MAX_ARG_STRLEN of Linux; other systems bound the sum alone.
	if most := 32 * os.Getpagesize(); runtime.GOOS == "linux" && longest > most {
		return &tooLongError{fmt.Sprintf("%s has %d bytes, and a process of this machine can be given at most %d in one: %s", what, longest, most, next)}
	}
	return &tooLongError{fmt.Sprintf("arguments and variables have %d bytes together, more than a process of this machine can be given; the longest is %s with %d: %s",
		all, what, longest, next)}
}
