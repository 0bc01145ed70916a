package serve

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAutoTLS: the plugin answers the holder of the certificate that came in the
// environment, and nobody else; the host knows the plugin by what went back.
func TestAutoTLS(t *testing.T) {
	_, _, err := autoTLS("no PEM")
	require.ErrorContains(t, err, "no PEM text")
	host, stranger := keyPair(t), keyPair(t)
	config, text, err := autoTLS(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: host.Certificate[0]})))
	require.NoError(t, err)
	der, err := base64.RawStdEncoding.DecodeString(text)
	require.NoError(t, err)
	own, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(own)
	for name, c := range map[string]struct {
		cert tls.Certificate
		good bool
	}{"host": {host, true}, "stranger": {stranger, false}, "nobody": {tls.Certificate{}, false}} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			until := time.Now().Add(hang)
			require.NoError(t, here.SetDeadline(until))
			require.NoError(t, there.SetDeadline(until))
			client := tls.Client(there, &tls.Config{Certificates: []tls.Certificate{c.cert}, RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS13})
			read := make(chan error, 1)
			go func() {
				err := client.Handshake()
				if err == nil {
					_, err = client.Read(make([]byte, 1)) // a refusal comes behind the client's own end of the handshake
				}
				read <- err
			}()
			server := tls.Server(here, config)
			err := server.Handshake()
			if err == nil {
				_, err = server.Write([]byte("x"))
			}
			assert.Equal(t, c.good, err == nil, "%v", err)
			require.NoError(t, here.Close())
			assert.Equal(t, c.good, <-read == nil)
			require.NoError(t, there.Close())
		})
	}
}

// keyPair is that of another autoTLS.
func keyPair(t *testing.T) tls.Certificate {
	pair, err := selfSigned()
	require.NoError(t, err)
	return pair
}

func TestListenUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "w") // short: sockets lie in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a, err := listenUnix(dir)
	require.NoError(t, err)
	b, err := listenUnix(dir)
	require.NoError(t, err, "two plugins may have one directory")
	info, err := os.Stat(a.Addr().String())
	require.NoError(t, err)
	assert.Equal(t, os.ModeSocket, info.Mode().Type())
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
