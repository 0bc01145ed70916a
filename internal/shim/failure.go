package shim

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	exitMark   = "[stephost exit "
	signalMark = " signal "
)

// ExitText says how the step ended, for people and for ParseExit. signal is ""
// or a name such as "SIGKILL"; why is what the init process itself has to say.
func ExitText(code int, signal, why string) string {
	mark := exitMark + strconv.Itoa(code)
	if signal != "" {
		mark += signalMark + signal
	}
	switch {
	case why != "":
	case signal != "":
		why = "the step was ended by " + signal
	default:
		why = fmt.Sprintf("the step exited with code %d", code)
	}
	return mark + "] " + why
}

// ParseExit finds what ExitText wrote in a text that may have more around it:
// backends put their own words before and behind.
func ParseExit(text string) (code int, signal string, ok bool) {
	_, rest, found := strings.Cut(text, exitMark)
	if !found {
		return 0, "", false
	}
	mark, _, found := strings.Cut(rest, "]")
	if !found {
		return 0, "", false
	}
	number, signal, _ := strings.Cut(mark, signalMark)
	code, err := strconv.Atoi(number)
	if err != nil || code < 0 || code > 255 {
		return 0, "", false
	}
	return code, signal, true
}
