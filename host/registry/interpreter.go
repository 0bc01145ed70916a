package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// versionWait bounds `interpreter --version`: a cold start from a slow disk
// takes a second or two, one that hangs never ends.
const versionWait = 10 * time.Second

// versionOutput bounds what is read of its answer.
const versionOutput = 4 << 10

// newestMinor is how far upward "python3.N" is looked for when plain "python3"
// is too old.
const newestMinor = 19

var (
	interpreterWord = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([A-Za-z0-9_./+-]+?)\s*((?:(?:>=|<=|==|!=|<|>)\s*[0-9]+(?:\.[0-9]+)*\s*,?\s*)*)$`)
	})
	constraintWord = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(>=|<=|==|!=|<|>)\s*([0-9]+(?:\.[0-9]+)*)`)
	})
	versionWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[0-9]+(?:\.[0-9]+)+`) })
)

// splitInterpreter takes "python3>=3.10" apart.
func splitInterpreter(word string) (name, constraint string, err error) {
	m := interpreterWord().FindStringSubmatch(strings.TrimSpace(word))
	if m == nil {
		return "", "", &problem.Error{Summary: "the interpreter " + quoted(word) + " is not understood",
			Next: `write it like {interpreter:python3>=3.10} or {interpreter:/usr/bin/python3}`}
	}
	return m[1], strings.TrimRight(strings.TrimSpace(m[2]), ","), nil
}

// resolveInterpreter finds the program, asks for its version when there is a
// constraint, and hashes it. It is the only program that registration starts.
func resolveInterpreter(ctx context.Context, name, constraint string) (*Interpreter, error) {
	candidates := []string{name}
	if name == "python3" && constraint != "" {
		for minor := newestMinor; minor >= 8; minor-- {
			candidates = append(candidates, fmt.Sprintf("python3.%d", minor))
		}
	}
	var tried []string
	for _, candidate := range candidates {
		path, err := exec.LookPath(candidate)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		in := &Interpreter{Name: name, Constraint: constraint, Path: behindShim(ctx, path)}
		if err := in.look(ctx); err != nil {
			return nil, err
		}
		if in.fits() {
			return in, nil
		}
		tried = append(tried, fmt.Sprintf("%s is %s", path, orUnknown(in.Version)))
	}
	e := &problem.Error{Summary: "the flavor needs the interpreter " + name + constraint}
	if len(tried) == 0 {
		e.Detail = "There is no " + name + " in PATH."
		e.Next = "install " + name + ", or add its directory to PATH"
	} else {
		e.Detail = "Found: " + first(tried, 4) + "."
		e.Next = "install " + name + constraint + " and put it into PATH"
	}
	return nil, e
}

// behindShim finds the Python behind a version manager's script (pyenv, asdf):
// what such a script starts depends on PATH and on the working directory, so
// pinning it would pin nothing. Whatever fails leaves the path as it is.
func behindShim(ctx context.Context, path string) string {
	head, _, _, err := readFile(path)
	if err != nil || head.kind != KindScript || !strings.HasPrefix(filepath.Base(path), "python") {
		return path
	}
	answer, err := ask(ctx, path, "-c", "import sys; print(sys.executable)")
	answer = strings.TrimSpace(answer)
	if err != nil || !filepath.IsAbs(answer) {
		return path
	}
	if head, _, _, err := readFile(answer); err != nil || head.kind == KindScript || head.kind == "" {
		return path
	}
	return answer
}

// look fills in what the file is now.
func (in *Interpreter) look(ctx context.Context) error {
	var err error
	if in.SHA256, in.Stat, err = hashPath(ctx, in.Path); err != nil {
		return &problem.Error{Summary: "cannot read the interpreter " + in.Path, Err: err}
	}
	if in.Constraint != "" {
		in.Version, err = askVersion(ctx, in.Path)
	}
	return err
}

// fits says whether the version meets every part of the constraint.
func (in *Interpreter) fits() bool {
	for _, c := range constraintWord().FindAllStringSubmatch(in.Constraint, -1) {
		cmp := compareDotted(in.Version, c[2])
		ok := false
		switch c[1] {
		case ">=":
			ok = cmp >= 0
		case "<=":
			ok = cmp <= 0
		case ">":
			ok = cmp > 0
		case "<":
			ok = cmp < 0
		case "==":
			ok = cmp == 0 || strings.HasPrefix(in.Version, c[2]+".")
		case "!=":
			ok = cmp != 0 && !strings.HasPrefix(in.Version, c[2]+".")
		}
		if !ok {
			return false
		}
	}
	return true
}

// askVersion runs `path --version` and takes the first dotted number.
func askVersion(ctx context.Context, path string) (string, error) {
	out, err := ask(ctx, path, "--version")
	if err != nil {
		return "", &problem.Error{Summary: "the interpreter " + path + " does not answer to --version", Err: err,
			Next: "check that it works"}
	}
	return versionWord().FindString(out), nil
}

// ask runs an interpreter, bounded, and returns what it prints.
func ask(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = os.TempDir() // not the flavor's directory: it must not find files there
	cmd.WaitDelay = time.Second
	var out bounded
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// bounded keeps the head of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := versionOutput - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// compareDotted compares 3.9 with 3.10.1 as people do.
func compareDotted(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n uint64
		if i < len(x) {
			m, _ = number(x[i])
		}
		if i < len(y) {
			n, _ = number(y[i])
		}
		if m != n {
			if m < n {
				return -1
			}
			return 1
		}
	}
	return 0
}

func orUnknown(s string) string {
	if s == "" {
		return "of unknown version"
	}
	return s
}

// shebang takes the first line of a script apart: the interpreter and the
// arguments before the script. `#!/usr/bin/env X` means X from PATH, as it was
// at registration: env itself is never run.
func shebang(line string) (name string, args []string, err error) {
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if len(words) > 0 && filepath.Base(words[0]) == "env" {
		words = words[1:]
		if len(words) > 0 && words[0] == "-S" {
			words = words[1:]
		}
		if len(words) > 0 && (strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=")) {
			return "", nil, &problem.Error{Summary: "the first line " + quoted(line) + " has options of env that are not supported",
				Next: `write #!/usr/bin/env python3, or an exec { command = [...] } block in the manifest`}
		}
	}
	if len(words) == 0 {
		return "", nil, &problem.Error{Summary: "the first line " + quoted(line) + " names no interpreter",
			Next: "write for example #!/usr/bin/env python3"}
	}
	return words[0], words[1:], nil
}

// pythonCode: an interpreter that must not write compiled files into the store.
func (in *Interpreter) environment() []string {
	if in != nil && strings.HasPrefix(filepath.Base(in.Path), "python") {
		return []string{"PYTHONDONTWRITEBYTECODE=1"}
	}
	return nil
}
