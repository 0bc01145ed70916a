package lifeline_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

func TestHelloComesBackAsWritten(t *testing.T) {
	want := lifeline.Hello{LogLevel: "debug", TLS: &lifeline.TLS{Cert: "c\n", Key: "k\n", Peer: "p\n"}}
	var b bytes.Buffer
	require.NoError(t, lifeline.WriteHello(&b, want))
	require.Equal(t, 1, strings.Count(b.String(), "\n"), "one line, so that readline() reads it whole")

	got, err := lifeline.ReadHello(bufio.NewReaderSize(&b, 16))
	require.NoError(t, err)
	want.Lifeline = lifeline.Version
	require.Equal(t, want, got)
}

func TestReadHelloRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nothing":       {"", "ended before the hello"},
		"half a line":   {`{"lifeline":1`, "ended before the hello"},
		"no JSON":       {"secret-key\n", "no JSON object"},
		"wrong type":    {`{"lifeline":1,"tls":"secret-key"}` + "\n", "no JSON object"},
		"other version": {`{"lifeline":2}` + "\n", "version 2"},
		"too long":      {strings.Repeat("x", lifeline.HelloLimit+1) + "\n", "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lifeline.ReadHello(bufio.NewReader(strings.NewReader(c.in)))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret-key")
		})
	}
}

func TestUnknownMembersAreSkipped(t *testing.T) {
	h, err := lifeline.ReadHello(bufio.NewReader(strings.NewReader(`{"lifeline":1,"later":{"a":[1]}}` + "\n")))
	require.NoError(t, err)
	require.Nil(t, h.TLS)
}

func TestHelloTooLongIsNotWritten(t *testing.T) {
	var b bytes.Buffer
	err := lifeline.WriteHello(&b, lifeline.Hello{LogLevel: strings.Repeat("x", lifeline.HelloLimit)})
	require.ErrorContains(t, err, "limit")
	require.Zero(t, b.Len())
}

func TestHelloFitsIntoAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*time.Second)))
	require.NoError(t, lifeline.WriteHello(w, lifeline.Hello{LogLevel: strings.Repeat("x", lifeline.HelloLimit-100)}),
		"the host writes before the plugin reads")
}

func TestTheKeyIsNeverPrinted(t *testing.T) {
	h := lifeline.Hello{TLS: &lifeline.TLS{Key: "secret-key"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, h), "secret-key", verb)
		require.NotContains(t, fmt.Sprintf(verb, h.TLS), "secret-key", verb)
	}
}

func FuzzReadHello(f *testing.F) {
	f.Add([]byte(`{"lifeline":1,"tls":{"cert":"a","key":"b","peer":"c"}}` + "\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := lifeline.ReadHello(bufio.NewReader(io.LimitReader(bytes.NewReader(in), 1<<20)))
		if err == nil {
			require.Equal(t, lifeline.Version, h.Lifeline)
		}
	})
}
