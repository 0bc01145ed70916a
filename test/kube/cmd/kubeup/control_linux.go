package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Names of the components, for commands and logs.
const (
	etcd        = "etcd"
	apiserver   = "apiserver"
	controllers = "controllers"
	scheduler   = "scheduler"
)

// askBound bounds one question to the API server.
const askBound = 5 * time.Second

// freeAddresses are loopback addresses whose ports nobody holds now.
func freeAddresses(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // behind the last one, so that all differ
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// startControlPlane starts the control plane: the API server at address, etcd
// for its clients and its peers at the other two.
func (s *set) startControlPlane(address, client, peer string) error {
	for _, dir := range []string{"log", "etcd", "certs"} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := s.writeKeys(); err != nil {
		return err
	}
	if err := s.writeTokens(); err != nil {
		return err
	}
	// No fsync: a test's cluster does not outlive a power cut.
	if err := s.run(etcd, nil, s.k8s, "etcd", "--data-dir="+s.path("etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls=http://"+client, "--advertise-client-urls=http://"+client,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=default=http://"+peer); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ask := s.asker(address)
	// The address that is advertised is one more in the server's certificate, and nobody
	// advertises it: the reconciler of the `kubernetes` Service refuses a loopback address.
	advertised := host
	if s.dual {
		advertised = address6
	}
	if err := s.run(apiserver, func() error { return ask("/readyz", nil) }, s.k8s, "apiserver", "--etcd-servers=http://"+client,
		"--cert-dir="+s.path("certs"), "--bind-address="+host, "--advertise-address="+advertised, "--secure-port="+port,
		"--service-cluster-ip-range=10.222.0.0/24", "--endpoint-reconciler-type=none", "--allow-privileged",
		"--authorization-mode=RBAC", "--token-auth-file="+s.path("tokens.csv"),
		"--service-account-key-file="+s.path("sa.pub"), "--service-account-signing-key-file="+s.path("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--kubelet-preferred-address-types=InternalIP"); err != nil {
		return err
	}
	if err := s.writeKubeconfig(address); err != nil {
		return err
	}
	// Two hundred Jobs at once are to measure the flavor, not the controllers'
	// own brake (20 requests a second).
	if err := s.run(controllers, nil, s.k8s, "controllers", "--kubeconfig="+s.kubeconfig(), "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--service-account-private-key-file="+s.path("sa.key"), "--root-ca-file="+s.path("certs", "apiserver.crt")); err != nil {
		return err
	}
	if err := s.run(scheduler, nil, s.k8s, "scheduler", "--kubeconfig="+s.kubeconfig(), "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400"); err != nil {
		return err
	}
	// Admission refuses Pods until the controllers have made it.
	return s.await(controllers, func() error { return ask("/api/v1/namespaces/default/serviceaccounts/default", nil) })
}

// asker gets a path from the API server as its administrator.
func (s *set) asker(address string) func(path string, check func(body string) error) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // its certificate is made while it starts
	client := &http.Client{Transport: transport, Timeout: askBound}
	return func(path string, check func(string) error) error {
		token, err := os.ReadFile(s.path("token"))
		if err != nil {
			return err
		}
		req, err := http.NewRequest(http.MethodGet, "https://"+address+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+string(token))
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, resp.Status)
		}
		if check != nil {
			return check(string(body))
		}
		return nil
	}
}

// writeKeys makes the key pair of service account tokens.
func (s *set) writeKeys() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(s.path("sa.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.path("sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
}

// writeTokens makes two users: one who may do everything, and one who is known
// and may do nothing.
func (s *set) writeTokens() error {
	admin, limited := rand.Text(), rand.Text()
	csv := fmt.Sprintf("%s,admin,admin,\"system:masters\"\n%s,limited,limited\n", admin, limited)
	for name, text := range map[string]string{"tokens.csv": csv, "token": admin, "token-limited": limited} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s *set) kubeconfig() string { return s.path("kubeconfig") }

const kubeconfigFormat = `apiVersion: v1
kind: Config
clusters:
- {name: test, cluster: {server: "https://SERVER", certificate-authority: "DIR/certs/apiserver.crt"}}
users:
- {name: admin, user: {token: "ADMIN"}}
- {name: limited, user: {token: "LIMITED"}}
contexts:
- {name: admin, context: {cluster: test, user: admin}}
- {name: limited, context: {cluster: test, user: limited}}
current-context: admin
`

func (s *set) writeKubeconfig(address string) error {
	admin, err := os.ReadFile(s.path("token"))
	if err != nil {
		return err
	}
	limited, err := os.ReadFile(s.path("token-limited"))
	if err != nil {
		return err
	}
	text := strings.NewReplacer("SERVER", address, "DIR", s.dir, "ADMIN", string(admin), "LIMITED", string(limited)).Replace(kubeconfigFormat)
	return os.WriteFile(s.kubeconfig(), []byte(text), 0o600)
}
