package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A command of AzureML is one string: its own templates ${{...}} are filled in
// first, then bash reads it (assumption: /bin/bash -c, as the images of AzureML
// run it).

// quote is one word for bash that is arg and nothing else. It never holds "${{".
func quote(arg string) string {
	if arg != "" && strings.IndexFunc(arg, unsafe) < 0 {
		return arg
	}
	if strings.IndexFunc(arg, control) < 0 && utf8.ValidString(arg) {
		return apart("'" + strings.ReplaceAll(arg, "'", `'\''`) + "'")
	}
	// Line ends may be changed on the way, and bytes that are no text cannot
	// travel in JSON at all: both are written out.
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(arg); {
		r, n := utf8.DecodeRuneInString(arg[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, arg[i])
			// A hex digit behind it would be read as a part of it.
			if i+1 < len(arg) {
				b.WriteString("'$'")
			}
		case r == '\\' || r == '\'':
			b.WriteString(`\` + string(r))
		case control(r):
			for _, one := range []byte(arg[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, one)
			}
		default:
			b.WriteString(arg[i : i+n])
		}
		i += n
	}
	b.WriteByte('\'')
	return apart(b.String())
}

// apart ends the quotes between "$" and "{{", so that AzureML sees no template
// and bash the same word. Quotes of $'...' begin again as such.
func apart(word string) string {
	open := "'"
	if strings.HasPrefix(word, "$'") {
		open = "$'"
	}
	return strings.ReplaceAll(word, "${{", "$'"+open+"{{")
}

// unsafe tells which characters need quotes.
func unsafe(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./=:,@%+", r))
}

func control(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
}

// words joins argv to what bash splits into the same argv.
func words(argv []string) string {
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = quote(a)
	}
	return strings.Join(out, " ")
}
