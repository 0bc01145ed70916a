package serve

import (
	"bytes"
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

func TestAPersonGetsAHint(t *testing.T) {
	t.Setenv(lifeline.CookieKey, "")
	var text bytes.Buffer
	describe := func() (string, string, error) { return "gpu", "1.0.0", nil }
	require.Equal(t, ExitMisuse, run(Options{Describe: describe}, &text))
	require.Contains(t, text.String(), "This is the stephost flavor gpu, version 1.0.0")
	exe, err := os.Executable()
	require.NoError(t, err)
	require.Contains(t, text.String(), "stephost flavor register "+exe)
}

func TestTLSConfig(t *testing.T) {
	for name, c := range map[string]struct {
		hello lifeline.Hello
		auto  bool
		want  string
	}{
		"nothing":            {lifeline.Hello{}, false, "neither a key nor a certificate"},
		"no key":             {lifeline.Hello{TLS: &lifeline.TLS{Cert: "x", Key: "secret"}}, false, "key pair"},
		"AutoMTLS":           {lifeline.Hello{}, true, ""},
		"none for benchmark": {lifeline.Hello{Insecure: true}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := tlsConfig(c.hello, c.auto)
			require.Nil(t, f)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestLifelineThatIsNone(t *testing.T) {
	for _, fd := range []string{"x", "-1", "2", "987654"} {
		t.Setenv(lifeline.EnvFD, fd)
		s := newStopper()
		_, err := openLifeline(s)
		require.ErrorContains(t, err, lifeline.EnvFD, fd)
		s.now()
	}
}

func TestUnexport(t *testing.T) {
	for _, name := range []string{lifeline.CookieKey, lifeline.EnvFD, "PLUGIN_CLIENT_CERT", "PLUGIN_UNIX_SOCKET_DIR"} {
		t.Setenv(name, "x")
	}
	t.Setenv("PLUGIN_OF_THE_AUTHOR", "x")
	unexport()
	for _, name := range []string{lifeline.CookieKey, lifeline.EnvFD, "PLUGIN_CLIENT_CERT", "PLUGIN_UNIX_SOCKET_DIR"} {
		_, set := os.LookupEnv(name)
		require.False(t, set, name)
	}
	require.Equal(t, "x", os.Getenv("PLUGIN_OF_THE_AUTHOR"))
}

func TestLevel(t *testing.T) {
	require.Equal(t, hclog.Debug, level("debug"))
	require.Equal(t, hclog.Off, level("off"))
	require.Equal(t, hclog.Info, level(""))
	require.Equal(t, hclog.Info, level("shout"))
}
