package serve

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

var errStranger = errors.New("the peer is not the host that started this plugin")

// tlsConfig is that of a hello: nil means AutoMTLS or, for benchmarks, no TLS. It
// fails where nothing would protect the socket.
func tlsConfig(h lifeline.Hello, auto bool) (*tls.Config, error) {
	if h.TLS == nil {
		if !auto && !h.Insecure {
			return nil, errors.New("the host sent neither a key nor a certificate")
		}
		return nil, nil
	}
	cert, err := tls.X509KeyPair([]byte(h.TLS.Cert), []byte(h.TLS.Key))
	if err != nil {
		return nil, fmt.Errorf("the host's key pair for this plugin: %w", err)
	}
	block, _ := pem.Decode([]byte(h.TLS.Peer))
	if block == nil {
		return nil, errors.New("the host's certificate is no PEM text")
	}
	return serverConfig(cert, block.Bytes), nil
}

// serverConfig answers the holder of the certificate peer (DER) and nobody else.
func serverConfig(own tls.Certificate, peer []byte) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{own},
		MinVersion:   tls.VersionTLS13,
		// One connection of one process on one machine: nothing is resumed, and
		// the larger post-quantum exchange protects nothing here.
		CurvePreferences:       []tls.CurveID{tls.X25519},
		SessionTicketsDisabled: true,
		// Comparing the whole certificate replaces every question of chains,
		// names and validity; the handshake proves that the peer has its key.
		ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 || !bytes.Equal(s.PeerCertificates[0].Raw, peer) {
				return errStranger
			}
			return nil
		},
	}
}
