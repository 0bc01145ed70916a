package serve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// openLifeline reads the hello and then watches for the end of the lifeline.
// Without one (Windows, a plain go-plugin host) the hello is empty, and only
// AutoMTLS can protect the socket.
func openLifeline(stop *stopper) (lifeline.Hello, error) {
	text := os.Getenv(lifeline.EnvFD)
	if text == "" {
		return lifeline.Hello{Lifeline: lifeline.Version}, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return lifeline.Hello{}, fmt.Errorf("%s is %q, no descriptor number", lifeline.EnvFD, text)
	}
	f, err := inherited(fd)
	if err != nil {
		return lifeline.Hello{}, fmt.Errorf("the descriptor %d of %s: %w", fd, lifeline.EnvFD, err)
	}
	r := bufio.NewReaderSize(f, 4<<10)
	_ = f.SetReadDeadline(time.Now().Add(helloTimeout))
	hello, err := lifeline.ReadHello(r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("the host sent no hello within %s", helloTimeout)
	}
	if err != nil {
		f.Close()
		return lifeline.Hello{}, err
	}
	_ = f.SetReadDeadline(time.Time{})
	go func() {
		// Lines after the hello belong to a later version of the protocol.
		_, _ = io.Copy(io.Discard, r)
		stop.now()
	}()
	return hello, nil
}

// unexport removes what the host handed over from the environment, so that no
// child of the author's code takes itself for a plugin.
func unexport() {
	for _, name := range []string{
		lifeline.CookieKey, lifeline.EnvFD, lifeline.EnvAttach, envSocketDir, envSocketGroup,
		envMinPort, envMaxPort, envClientCert, "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_MULTIPLEX_GRPC",
	} {
		_ = os.Unsetenv(name)
	}
}
