package process

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

const (
	// certLife is how long a pair is valid: longer than any process lives. The
	// pair dies with the process.
	certLife = 10 * 365 * 24 * time.Hour
	// certSkew lets a plugin on a machine whose clock is being set use it.
	certSkew = 24 * time.Hour
)

var errStranger = errors.New("the peer is not the plugin that this host has started")

// keyPair is a self-signed certificate with its key, for one side of one start.
type keyPair struct {
	key *ecdsa.PrivateKey
	der []byte
}

// newKeyPair makes one on P-256, which costs a fortieth of go-plugin's P-521.
// The certificate may stand as its own authority, because the TLS libraries of
// other languages compare peers only in that way.
func newKeyPair(name string) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{"localhost"},
		NotBefore:             now.Add(-certSkew),
		NotAfter:              now.Add(certLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &keyPair{key: key, der: der}, nil
}

// keyPairs are both sides' pairs.
type keyPairs struct{ host, plugin *keyPair }

func newKeyPairs() (*keyPairs, error) {
	host, err := newKeyPair("stephost host")
	if err != nil {
		return nil, fmt.Errorf("making a key pair: %w", err)
	}
	plugin, err := newKeyPair("stephost plugin")
	if err != nil {
		return nil, fmt.Errorf("making a key pair: %w", err)
	}
	return &keyPairs{host: host, plugin: plugin}, nil
}

// hello is what the plugin gets.
func (k *keyPairs) hello() (*lifeline.TLS, error) {
	key, err := x509.MarshalPKCS8PrivateKey(k.plugin.key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return &lifeline.TLS{
		Cert: text("CERTIFICATE", k.plugin.der),
		Key:  text("PRIVATE KEY", key),
		Peer: text("CERTIFICATE", k.host.der),
	}, nil
}

// client is the host's side of the connection: it talks to the holder of the
// plugin's certificate and to nobody else.
func (k *keyPairs) client() *tls.Config {
	peer := k.plugin.der
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{k.host.der}, PrivateKey: k.host.key}},
		ServerName:   "localhost",
		MinVersion:   tls.VersionTLS13,
		// The larger post-quantum exchange protects nothing between two
		// processes of one machine.
		CurvePreferences: []tls.CurveID{tls.X25519},
		// Comparing the whole certificate replaces chains, names and validity;
		// the handshake proves that the peer has its key.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) != 1 || !bytes.Equal(s.PeerCertificates[0].Raw, peer) {
				return errStranger
			}
			return nil
		},
	}
}
