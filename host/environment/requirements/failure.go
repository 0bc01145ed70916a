package requirements

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/stephost/stephost/host/problem"
)

// Kind says what went wrong.
type Kind string

// The kinds.
const (
	NoPython    Kind = "no python"    // no interpreter fits
	NoVenv      Kind = "no venv"      // the interpreter cannot make virtual environments
	Invalid     Kind = "invalid"      // what the step says is wrong
	Unreachable Kind = "unreachable"  // the index does not answer
	Denied      Kind = "denied"       // the index wants other credentials
	NotFound    Kind = "not found"    // no such package, version, or wheel for this Python
	Conflict    Kind = "conflict"     // no set of versions fits
	BuildFailed Kind = "build failed" // a package had to be built and was not
	WrongHash   Kind = "wrong hash"   // a download is not what was pinned
	DiskFull    Kind = "disk full"    // no space left
	// BaseConflict: the base image has another version. Native: no wheel fits the
	// base image, and what would have to be compiled is not compiled here.
	BaseConflict Kind = "contradicts the base image"
	Native       Kind = "native"
	Other        Kind = "other failure" // the tool's output must say it
)

// Error is the cause in the *problem.Error that this package returns.
type Error struct {
	Kind Kind
	// Package is the one named by the tool, empty when it named none.
	Package string
	// Err is a cause outside, such as an *exec.ExitError.
	Err error
}

// Error is the text of the cause, "" without one: Kind and Package are for programs,
// the problem around it says them in words.
func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return redact(e.Err.Error())
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// outputLines is how much of a tool's output an error shows.
const outputLines = 20

// phase is where these errors happen in the life of a run.
const phase = "preparing"

func invalid(summary string, cause error) *problem.Error {
	return &problem.Error{Summary: summary, Phase: phase, Class: problem.Config,
		Next: "correct the step's requirements", Err: &Error{Kind: Invalid, Err: cause}}
}

func noPython(wanted string, tried []string) *problem.Error {
	e := &problem.Error{Summary: "no Python 3 found on PATH", Phase: phase, Class: problem.Config,
		Next: "install Python 3 (with its venv module) or uv, or set python to the path of an interpreter",
		Err:  &Error{Kind: NoPython}}
	if wanted != "" {
		e.Summary = "no Python " + wanted + " found"
		e.Next = "install it (with uv: uv python install " + wanted + "), or set python to the path of an interpreter or to another version"
		if strings.ContainsAny(wanted, `/\`) {
			e.Summary = wanted + " is not a usable Python"
			e.Next = "set python to the path of a Python 3 interpreter"
		}
	}
	if len(tried) > 0 {
		e.Detail = "Tried:\n  " + strings.Join(tried, "\n  ")
	}
	return e
}

func noVenv(py *Interpreter) *problem.Error {
	return &problem.Error{Summary: py.String() + " cannot make virtual environments: its modules venv and ensurepip are missing",
		Phase: phase, Class: problem.Config,
		Next: fmt.Sprintf("install them (on Debian and Ubuntu: apt install python%d.%d-venv), or install uv", py.Major, py.Minor),
		Err:  &Error{Kind: NoVenv}}
}

// sign is a text in an installer's output that tells the kind of failure.
type sign struct {
	kind Kind
	text string
}

// signs in the order in which they decide: what is behind a message comes before
// the message that pip and uv print for it ("no matching distribution" is also
// printed when the index was never reached).
var signs = [...]sign{
	{DiskFull, "No space left on device"},
	{DiskFull, "Disk quota exceeded"},
	{WrongHash, "DO NOT MATCH THE HASHES"},
	{WrongHash, "Hash mismatch"},
	{Denied, "401 Error"}, {Denied, "403 Error"}, {Denied, "401 Unauthorized"}, {Denied, "403 Forbidden"},
	{Denied, "403 Client Error"}, {Denied, "401 Client Error"}, {Denied, "Authentication failed"},
	{Denied, "Permission denied (publickey"}, {Denied, "could not read Username"},
	{Unreachable, "connection broken by"}, {Unreachable, "Max retries exceeded"},
	{Unreachable, "NewConnectionError"}, {Unreachable, "Failed to establish a new connection"},
	{Unreachable, "Temporary failure in name resolution"}, {Unreachable, "Name or service not known"},
	{Unreachable, "Could not resolve host"}, {Unreachable, "dns error"},
	{Unreachable, "error sending request"}, {Unreachable, "tcp connect error"}, {Unreachable, "Network is unreachable"},
	{Unreachable, "Connection refused"}, {Unreachable, "CERTIFICATE_VERIFY_FAILED"}, {Unreachable, "invalid peer certificate"},
	{Unreachable, "ReadTimeoutError"}, {Unreachable, "operation timed out"}, {Unreachable, "502 Server Error"},
	{Unreachable, "503 Server Error"}, {Unreachable, "ProxyError"},
	{NotFound, "was not found in the p"}, {NotFound, "there is no version of"}, {NotFound, "there are no versions of"},
	{NotFound, "has no wheels with a matching"}, {NotFound, "no usable wheels"}, {NotFound, "is available and you require"},
	{Conflict, "ResolutionImpossible"}, {Conflict, "conflicting dependencies"}, {Conflict, "requirements are unsatisfiable"},
	{BuildFailed, "Failed building wheel"}, {BuildFailed, "metadata-generation-failed"}, {BuildFailed, "Failed to build"},
	{BuildFailed, "subprocess-exited-with-error"}, {BuildFailed, "Could not build wheels"}, {BuildFailed, "Build backend failed"},
	{Invalid, "Invalid requirement"}, {Invalid, "Couldn't parse requirement"}, {Invalid, "no such option"},
	{NotFound, "No matching distribution found"}, {NotFound, "Could not find a version"},
	{NotFound, "No solution found"},
	{NotFound, "requires a different Python"}, {NotFound, "is not a supported wheel"},
}

// packageForms find the package that an installer names, the surest first.
var packageForms = sync.OnceValue(func() []*regexp.Regexp {
	var forms []*regexp.Regexp
	for _, f := range []string{
		`No matching distribution found for ([^\s(]+(?: ?[<>=!~][^\s(]*)?)`,
		`satisfies the requirement ([^\s(]+)`,
		`Failed building wheel for (\S+)`,
		`[Ff]ailed to (?:build|fetch|download)(?: and build)?:? ` + "`([^` ]+)",
		`Because (\S+) was not found`,
		`ERROR: Failed to build (?:installable wheels for some pyproject.toml based projects )?\(?([A-Za-z0-9][\w.-]*)`,
		`requirement '?"?([^\s'":]+)`,
		`ERROR: Package '([^']+)' requires`,
		`retries: ` + `.*/simple/([^/\s]+)/`,
		`/simple/([A-Za-z0-9][\w.-]*)/`,
	} {
		forms = append(forms, regexp.MustCompile(f))
	}
	return forms
})

var collecting = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:Collecting|Processing|Building wheels? for collected packages:) ([^\s(]+)`)
})

// kindOf is the kind of the first sign in the text.
func kindOf(text string) Kind {
	for _, s := range signs {
		if strings.Contains(text, s.text) {
			return s.kind
		}
	}
	return Other
}

// failure makes an error of an installer's output, which is clean of
// credentials already, and of its log, which is not shown.
func failure(tool string, tail []string, log string, cause error) *problem.Error {
	text := strings.Join(tail, "\n")
	kind := kindOf(text)
	if kind == NotFound {
		// pip says "not found" for an index that refused it, and why in its log.
		if k := kindOf(log); k == Denied || k == Unreachable {
			kind = k
		}
	}
	pkg := namedPackage(tail)
	subject := "the requirements"
	if pkg != "" {
		subject = fmt.Sprintf("the requirement %q", pkg)
	}
	e := &problem.Error{Phase: phase, Class: problem.Config, Err: &Error{Kind: kind, Package: pkg, Err: cause}}
	switch kind {
	case Unreachable:
		e.Class = problem.System
		e.Summary = "the package index cannot be reached, for " + subject
		e.Next = "check the network, proxies and index addresses; what was built before needs no network"
	case Denied:
		e.Class = problem.Auth
		e.Summary = "the package index refused its credentials, for " + subject
		e.Next = "give the index's credentials in netrc, pip.conf, or the PIP_ and UV_ variables"
	case NotFound:
		e.Summary = subject + " cannot be had: no such package or version, or none for this Python"
		e.Next = "check name and version, and whether it is on an index that is not configured"
	case Conflict:
		e.Summary = "the requirements contradict each other"
		e.Next = "loosen one of the versions that the output names"
	case BuildFailed:
		e.Summary = subject + " has no wheel for this Python and could not be built"
		e.Next = "choose a version with a wheel or another python, or install what the output says is missing"
		if strings.Contains(text, "setuptools-scm was unable to detect version") {
			e.Next = "projects are built from a copy without .git: set SETUPTOOLS_SCM_PRETEND_VERSION"
		}
	case WrongHash:
		e.Summary = subject + " is not what its hash says"
		e.Next = "find out who changed it before you renew the hash"
	case DiskFull:
		e.Class = problem.System
		e.Summary = "no space left for " + subject
		e.Next = "free space, or move STEPHOST_HOME"
	case Invalid:
		e.Summary = "a requirement is not valid"
		e.Next = "correct the line that the output names"
	default:
		e.Summary = tool + " could not install the requirements"
		e.Next = "see the output"
	}
	if n := len(tail); n > outputLines {
		tail = tail[n-outputLines:]
	}
	e.Detail = problem.Bound("The last lines of "+tool+":\n  "+strings.Join(tail, "\n  "), problem.Limit/2)
	return e
}

// namedPackage is the package that the output names, or the last one it was
// busy with.
func namedPackage(tail []string) string {
	for _, form := range packageForms() {
		for i := len(tail) - 1; i >= 0; i-- {
			if m := form.FindStringSubmatch(tail[i]); m != nil {
				return strings.Trim(m[1], `'",.`)
			}
		}
	}
	for i := len(tail) - 1; i >= 0; i-- {
		if m := collecting().FindStringSubmatch(strings.TrimSpace(tail[i])); m != nil {
			return path.Base(filepath.ToSlash(m[1]))
		}
	}
	return ""
}

// detailOf is the detail of a problem, empty for other errors.
func detailOf(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Detail
	}
	return ""
}
