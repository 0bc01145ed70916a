package registry

import (
	"strings"

	"github.com/stephost/stephost/host/problem"
)

// maxName is the length of a flavor's or operator's name; with an attempt's
// key it must fit into a backend's 128 bytes.
const maxName = 63

// maxVersion keeps a version usable as a directory name everywhere.
const maxVersion = 64

// nameRule is how errors state the rule; checkName is the rule.
const nameRule = "lower-case letters, digits, '-' and '_', at most 63 of them, beginning with a letter or digit"

// CheckOperatorName refuses names that could not be a file name, a tag and a
// label. The error says the rule.
func CheckOperatorName(name string) error {
	if validName(name) {
		return nil
	}
	return &problem.Error{
		Summary: quoted(name) + " is no name for an operator",
		Detail:  "A name has " + nameRule + ".",
		Next:    "choose another name",
	}
}

// checkFlavorName and checkVersion guard paths that are made of a manifest's
// words: "../../x" must never become a directory.
func checkFlavorName(name string) error {
	if validName(name) {
		return nil
	}
	return &problem.Error{
		Summary: quoted(name) + " is no name for a flavor",
		Detail:  "A name has " + nameRule + ".",
		Next:    "rename the flavor in its manifest",
	}
}

func checkVersion(v string) error {
	if _, ok := parseVersion(v); ok {
		return nil
	}
	return &problem.Error{
		Summary: quoted(v) + " is no version of a flavor",
		Detail:  "A version is like 1.2.3 or 1.2.3-rc.1 (semantic versioning, lower case, at most 64 bytes).",
		Next:    "correct the version in the manifest",
	}
}

func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '-' || c == '_') && i > 0:
		default:
			return false
		}
	}
	return true
}

// splitRef takes "name" or "name@version" apart.
func splitRef(ref string) (name, version string) {
	name, version, _ = strings.Cut(ref, "@")
	return name, version
}

// quoted is a bounded, printable form of what somebody wrote.
func quoted(s string) string {
	const limit = 80
	if len(s) > limit {
		s = problem.Bound(s, limit)
	}
	return quote(s)
}
