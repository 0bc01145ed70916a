package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// What go-plugin's host asks of a plugin, without go-plugin's own server: that one
// brings net/rpc, which looks for methods by their names, so that the linker keeps
// every exported method of the SDK of a vendor; a plugin is 3 to 6 MB smaller
// without it. Broker, stdio stream and reflection have no use here, and the host
// does without them. https://github.com/hashicorp/go-plugin/blob/v1.8.0/docs/guide-plugin-write-non-go.md

// Names that are go-plugin's.
const (
	// coreProtocol is the version of the handshake line.
	coreProtocol = 1
	// healthName is what the host asks the health service about.
	healthName = "plugin"

	envSocketDir   = "PLUGIN_UNIX_SOCKET_DIR"
	envClientCert  = "PLUGIN_CLIENT_CERT"
	envMinPort     = "PLUGIN_MIN_PORT"
	envMaxPort     = "PLUGIN_MAX_PORT"
	envSocketGroup = "PLUGIN_UNIX_SOCKET_GROUP"
)

// certLife is longer than any plugin process.
const certLife = 30 * 24 * time.Hour

// serve makes the server, says on stdout where it is, and serves until the server
// is stopped.
func (p *plugin) serve(stop *stopper, config *tls.Config, stdout *os.File) error {
	l, err := listen()
	if err != nil {
		return err
	}
	cert := ""
	if text := os.Getenv(envClientCert); config == nil && text != "" {
		if config, cert, err = autoTLS(text); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	s := p.server(options)
	alive := health.NewServer()
	alive.SetServingStatus(healthName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(s, alive)
	s.RegisterService(controller(), stop.now)
	if err := p.register(s); err != nil {
		return errors.Join(err, l.Close())
	}
	if _, err := fmt.Fprintf(stdout, "%d|%d|%s|%s|grpc|%s\n", coreProtocol, lifeline.Major, l.Addr().Network(), l.Addr(), cert); err != nil {
		return errors.Join(err, l.Close())
	}
	return s.Serve(l)
}

// controller is go-plugin's service by which the host says stop. Its messages are
// empty.
func controller() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "plugin.GRPCController", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Shutdown",
			Handler: func(srv any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				if err := read(&emptypb.Empty{}); err != nil {
					return nil, err
				}
				srv.(context.CancelFunc)()
				return &emptypb.Empty{}, nil
			},
		}},
	}
}

// listen listens where the host looks: on a socket in its directory, or on a port
// of its range where there are no such sockets.
func listen() (net.Listener, error) {
	if runtime.GOOS != "windows" {
		return listenUnix(os.Getenv(envSocketDir))
	}
	from, err1 := strconv.Atoi(os.Getenv(envMinPort))
	to, err2 := strconv.Atoi(os.Getenv(envMaxPort))
	if errors.Join(err1, err2) != nil {
		from, to = 0, 0 // any
	}
	var err error
	for port := from; port <= to; port++ {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no port from %d to %d is free: %w", from, to, err)
}

// listenUnix makes a socket with a name of its own. Closing it removes it.
func listenUnix(dir string) (net.Listener, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	return net.Listen("unix", filepath.Join(dir, "plugin"+rand.Text()[:8]))
}

// autoTLS is go-plugin's AutoMTLS: the host's certificate came in the environment,
// and the plugin's own goes back with the handshake.
func autoTLS(peer string) (*tls.Config, string, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(peer)) {
		return nil, "", errors.New("the host's certificate is no PEM text")
	}
	own, err := selfSigned()
	if err != nil {
		return nil, "", err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}, base64.RawStdEncoding.EncodeToString(own.Certificate[0]), nil
}

// selfSigned is a new key with a certificate that is its own authority.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
