package lifeline

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// What both sides must agree on.
const (
	// Version of this protocol, in Hello.Lifeline.
	Version = 1
	// Major of the contract stephost.operator.v1, in the handshake line.
	Major = 1

	// ExitMisuse is the exit code of a plugin that cannot serve and has said why on
	// standard error, before the handshake or after it: the host does not try again.
	ExitMisuse = 125

	// EnvFD names the variable with the lifeline's descriptor number.
	EnvFD = "STEPHOST_LIFELINE_FD"
	// EnvAttach names the directory in which a plugin that a person has started
	// meets the host; HelloFile is its hello there.
	EnvAttach = "STEPHOST_ATTACH"
	HelloFile = "hello"
	// CookieKey and CookieValue tell a start by the host from a start by a
	// person. They protect nothing.
	CookieKey   = "STEPHOST_PLUGIN"
	CookieValue = "stephost.operator.v1:6b1f2f6c"

	// HelloLimit is the longest hello in bytes. It is below the capacity of a
	// pipe on every platform (16 KiB on macOS), so that the host can write it
	// without waiting for the plugin.
	HelloLimit = 12 << 10
	// MaxMessage is the largest message of the contract in bytes, both ways.
	MaxMessage = 16 << 20
	// SubmitGrace is how long a running Submit may go on after the plugin was
	// told to stop: long enough for the reply to a creating call to come in, so
	// that a job is not left without its handle.
	SubmitGrace = 10 * time.Second

	// PanicBegin starts, and PanicEnd ends, the account of a panic in a handler
	// on standard error; the process goes on.
	PanicBegin = "stephost: panic in "
	PanicEnd   = "stephost: end of panic"
)

// ErrEnded is returned by ReadHello when the host was gone before it had sent
// the whole hello.
var ErrEnded = errors.New("the lifeline ended before the hello")

// Hello is the first line on the lifeline.
type Hello struct {
	// Lifeline is Version.
	Lifeline int `json:"lifeline"`
	// LogLevel is the least level that the host keeps: trace, debug, info,
	// warn, error or off. Empty means info.
	LogLevel string `json:"log_level,omitempty"`
	// TLS is nil with AutoMTLS.
	TLS *TLS `json:"tls,omitempty"`
	// Insecure allows serving without TLS. For benchmarks.
	Insecure bool `json:"insecure,omitempty"`
}

// TLS holds PEM texts.
type TLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	Peer string `json:"peer"`
}

// Format makes every fmt verb print a TLS without its key.
func (t *TLS) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(certificate and key)")
}

// WriteHello writes h as one line, with Lifeline set. It does not block on a
// fresh pipe.
func WriteHello(w io.Writer, h Hello) error {
	h.Lifeline = Version
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding the hello: %w", err)
	}
	line = append(line, '\n')
	if len(line) > HelloLimit {
		return fmt.Errorf("the hello is %d bytes long, the limit is %d", len(line), HelloLimit)
	}
	_, err = w.Write(line)
	return err
}

// ReadHello reads the hello from r. It blocks until the line is there; the
// caller bounds it with r's read deadline. Nothing of an error tells about the
// content.
func ReadHello(r *bufio.Reader) (Hello, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > HelloLimit:
			return Hello{}, fmt.Errorf("the hello is longer than %d bytes", HelloLimit)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return Hello{}, ErrEnded
		case err != nil:
			return Hello{}, fmt.Errorf("reading the hello: %w", err)
		}
		break
	}
	var h Hello
	if err := json.Unmarshal(bytes.TrimSpace(line), &h); err != nil {
		// The decoder's message can quote what it read, which may be a key.
		return Hello{}, errors.New("the hello is no JSON object of the expected form")
	}
	if h.Lifeline != Version {
		return Hello{}, fmt.Errorf("the host speaks version %d of the lifeline protocol, this plugin version %d", h.Lifeline, Version)
	}
	return h, nil
}

var _ fmt.Formatter = (*TLS)(nil)
