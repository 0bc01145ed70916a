package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stephost/stephost/host/problem"
)

const (
	// commandTimeout bounds a "cmd:" secret: a password manager may ask a
	// person to touch a key, and does not take longer.
	commandTimeout = time.Minute
	// commandGrace is how long a command's children may hold its output open
	// after it ended.
	commandGrace = 2 * time.Second
	// maxComplaint is how much of a command's last error line is shown.
	maxComplaint = 200
)

// OSResolver looks in the real environment and real files, and runs "cmd:"
// commands: without a shell, split at spaces with quotes and backslashes,
// standard input empty, in the current directory, at most a minute. ctx bounds
// every look-up. It is safe for concurrent use.
func OSResolver(ctx context.Context) Resolver { return &osResolver{ctx} }

type osResolver struct{ ctx context.Context }

var _ Resolver = (*osResolver)(nil)

func (r *osResolver) Env(name string) (string, error) {
	v, ok := os.LookupEnv(name)
	if !ok {
		return "", &problem.Error{Summary: "the environment variable " + bounded(name) + " is not set",
			Next: "set it (export " + bounded(name) + "=...) and run the command again"}
	}
	return v, nil
}

func (r *osResolver) File(path string) (string, error) {
	b, err := readFile(r.ctx, path)
	switch {
	case err != nil:
		return "", &problem.Error{Summary: "cannot read a file", Err: err}
	case !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
		return "", &problem.Error{Summary: path + " is not UTF-8 text", Next: "encode it, for example with base64"}
	}
	return string(b), nil
}

func readFile(ctx context.Context, path string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Looked at before it is opened: opening a pipe could block for ever.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > MaxValue:
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", path, info.Size(), MaxValue)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, MaxValue+1))
	if err == nil && len(b) > MaxValue {
		err = fmt.Errorf("%s has more than %d bytes", path, MaxValue)
	}
	return b, err
}

func (r *osResolver) Secret(ref string) (string, error) {
	kind, what, _ := strings.Cut(ref, ":")
	switch kind {
	case "env":
		return r.Env(what)
	case "file":
		s, err := r.File(what)
		return trimLineBreak(s), err
	case "cmd":
		return r.command(what)
	case "keyring":
		return "", &problem.Error{Summary: "this build of stephost has no access to a keyring",
			Next: `use the keyring's own program: secret("cmd:secret-tool lookup service NAME") on Linux, secret("cmd:security find-generic-password -w -s NAME") on macOS`}
	}
	return "", &problem.Error{Summary: "a secret is file:PATH, env:NAME, cmd:COMMAND LINE or keyring:SERVICE/NAME"}
}

func trimLineBreak(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

func (r *osResolver) command(line string) (string, error) {
	argv, err := SplitCommand(line)
	if err != nil {
		return "", &problem.Error{Summary: "the command line of a secret cannot be split", Err: err}
	}
	ctx, cancel := context.WithTimeout(r.ctx, commandTimeout)
	defer cancel()
	stdout, stderr := &limited{limit: MaxValue}, &limited{limit: 64 << 10, drop: true}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, commandGrace
	err = cmd.Run()
	// A child that keeps the output open (an agent in the background) is no
	// failure: the command itself ended well.
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	p := &problem.Error{Summary: "the command of a secret failed: " + bounded(argv[0]), Err: err,
		Next: "run it by hand and see what it needs"}
	switch {
	case err != nil:
		// Of what it printed only the complaint is shown; its output may hold
		// half a secret.
		if lines := strings.Split(strings.TrimSpace(stderr.b.String()), "\n"); lines[0] != "" {
			p.Detail = "Its last words: " + problem.Bound(strings.ToValidUTF8(lines[len(lines)-1], "?"), maxComplaint)
		}
		return "", p
	case stdout.over:
		p.Err = fmt.Errorf("it printed more than %d bytes", MaxValue)
		return "", p
	case !utf8.Valid(stdout.b.Bytes()) || bytes.IndexByte(stdout.b.Bytes(), 0) >= 0:
		p.Err = errors.New("what it printed is not UTF-8 text")
		return "", p
	}
	out := trimLineBreak(stdout.b.String())
	if out == "" {
		p.Err = errors.New("it printed nothing")
		return "", p
	}
	return out, nil
}

// limited keeps the first limit bytes (drop: the last ones).
type limited struct {
	b     bytes.Buffer
	limit int
	over  bool
	drop  bool
}

func (l *limited) Write(p []byte) (int, error) {
	n := len(p)
	if l.drop {
		if n > l.limit {
			p = p[n-l.limit:]
		}
		if over := l.b.Len() + len(p) - l.limit; over > 0 {
			l.b.Next(over)
		}
	} else if room := l.limit - l.b.Len(); len(p) > room {
		l.over, p = true, p[:room]
	}
	l.b.Write(p)
	return n, nil
}

// SplitCommand splits a command line into arguments as a shell splits words:
// at spaces, with '...' and "..." and backslashes. Nothing is expanded.
func SplitCommand(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	in, quote := false, rune(0)
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			// In "..." a backslash is one before anything but these.
			if quote == '"' && c != '"' && c != '\\' && c != '$' && c != '`' {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if in {
				out = append(out, word.String())
				word.Reset()
				in = false
			}
		default:
			in = true
			word.WriteRune(c)
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("a quote (%c) is not closed", quote)
	case escaped:
		return nil, errors.New("a backslash stands at the end")
	}
	if in {
		out = append(out, word.String())
	}
	if len(out) == 0 || out[0] == "" {
		return nil, errors.New("it names no command")
	}
	return out, nil
}
