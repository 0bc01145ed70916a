package process

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// Stdout is go-plugin's view: the handshake line and then the end.
func (s *starting) Stdout() io.ReadCloser { return s.out.handshake }

// Stderr is go-plugin's view: nothing. Its reader would parse every line a second
// time and hold up the end of the process until a grandchild lets go.
func (s *starting) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// strayWriter takes what go-plugin's stdio stream brings from plugins that serve
// with go-plugin alone.
type strayWriter struct{ log hclog.Logger }

func (w strayWriter) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if text := clean(line, strayLine); text != "" {
			w.log.Debug("the plugin printed", "text", text)
		}
	}
	return len(b), nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}

var _ io.Writer = strayWriter{}
