package fake

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
)

// keyBits is small: nobody checks the signature.
const keyBits = 2048

// WriteServiceAccount writes a key file of a service account whose token
// endpoint is the fake.
func WriteServiceAccount(path, url string) error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return write(path, map[string]string{
		"type": "service_account", "project_id": Project, "private_key_id": "1", "client_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "fake@" + Project + ".iam.gserviceaccount.com", "token_uri": url + "/token",
	})
}

func write(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// Endpoints are the operator's `endpoints` for a fake whose addresses are those.
func Endpoints(grpc, http string) map[string]string {
	return map[string]string{"aiplatform": grpc, "logging": grpc, "storage": http, "artifactregistry": http, "iamcredentials": http, "cloudquotas": http}
}
