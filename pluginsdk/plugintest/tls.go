package plugintest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// certLife and certSkew bound the validity of a certificate. It is compared
// byte by byte, so dates only have to satisfy strict libraries.
const (
	certLife = 24 * time.Hour
	certSkew = time.Hour
)

// keyPair is a self-signed certificate with its key, for one process.
type keyPair struct {
	key *ecdsa.PrivateKey
	der []byte
}

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
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: now.Add(-certSkew), NotAfter: now.Add(certLife),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		// Python's TLS compares a peer only as an authority.
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return &keyPair{key: key, der: der}, err
}

func (k *keyPair) certPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.der}))
}

func (k *keyPair) keyPEM() (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// helloTLS is what a plugin with the key pair plugin gets when the host has host.
func helloTLS(host, plugin *keyPair) (*lifeline.TLS, error) {
	key, err := plugin.keyPEM()
	return &lifeline.TLS{Cert: plugin.certPEM(), Key: key, Peer: host.certPEM()}, err
}

// clientTLS talks to the holder of the certificate peer (DER). own = nil offers
// no certificate.
func clientTLS(own *keyPair, peer []byte) *tls.Config {
	c := &tls.Config{
		ServerName: "localhost", MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		// Comparing the whole certificate replaces chains and names.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, peer) {
				return errors.New("the plugin does not serve with the certificate that it was given")
			}
			return nil
		},
	}
	if own != nil {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{own.der}, PrivateKey: own.key}}
	}
	return c
}

// handshakeCert reads the certificate of a handshake line (AutoMTLS).
func handshakeCert(field string) ([]byte, error) {
	der, err := base64.RawStdEncoding.DecodeString(field)
	if err != nil || len(der) == 0 {
		return nil, errors.New(`the manifest says tls = "auto", but the handshake line holds no certificate`)
	}
	return der, nil
}
