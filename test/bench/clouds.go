package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// digest ends the reference of an image that nobody pulls.
	digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	// azureID is any ID of a subscription, a tenant or an application.
	azureID = "01234567-89ab-cdef-0123-456789abcdef"
	// manyCalls is the highest cap on calls that all of them take.
	manyCalls = "--max-calls-per-minute=6000"
	// keyBits is what Google gives its accounts.
	keyBits = 2048
)

// benchedCloud is a flavor with a fake.
type benchedCloud struct {
	flavor, image string
	// attributes of an operator on the fake, as flags; dir is for files.
	attributes func(dir string, fake *cloudfake.Fake) ([]string, error)
	// questions are the fake's names of the calls about states, page is how many
	// jobs a list has at once.
	questions []string
	page      int
}

func benchedClouds() []benchedCloud {
	return []benchedCloud{
		{"sagemaker", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/step" + digest, onSageMaker, []string{"ListTrainingJobs", "DescribeTrainingJob", "Search"}, 100},
		{"vertex", "registry.example/step" + digest, onVertex, []string{"ListCustomJobs", "GetCustomJob"}, 100},
		{"azureml", "team.azurecr.io/step" + digest, onAzureML, []string{"JobsClient.List", "JobsClient.Get", "History.Details"}, 25},
	}
}

func onSageMaker(dir string, fake *cloudfake.Fake) ([]string, error) {
	secret, err := secretFile(dir)
	return []string{"--role=train", "--region=eu-west-1", "--access-key-id=AKIAIOSFODNN7EXAMPLE", "--secret-access-key=" + secret, "--endpoint-url=" + fake.URL, manyCalls}, err
}

func onAzureML(dir string, fake *cloudfake.Fake) ([]string, error) {
	secret, err := secretFile(dir)
	return []string{"--subscription-id=" + azureID, "--resource-group=ml", "--workspace-name=research", "--tenant-id=" + azureID,
		"--service-principal-id=" + azureID, "--service-principal-password=" + secret,
		fmt.Sprintf("--endpoints={management = %[1]q, history = %[1]q, authority = %[1]q}", fake.URL), manyCalls}, err
}

func onVertex(dir string, fake *cloudfake.Fake) ([]string, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "fake-project", "private_key_id": "1", "client_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "bench@fake-project.iam.gserviceaccount.com", "token_uri": fake.URL + "/token",
	})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "key.json")
	endpoints := fmt.Sprintf("--endpoints={aiplatform = %[1]q, logging = %[1]q, storage = %[2]q}", fake.Endpoints["grpc"], fake.URL)
	return []string{"--project=fake-project", "--region=europe-west1", "--service_account_path=" + path, "--bucket_name=fake-bucket",
		endpoints, manyCalls, "--max-log-calls-per-minute=60000"}, os.WriteFile(path, text, 0o600)
}

// secretFile is the reference to a password that is none.
func secretFile(dir string) (string, error) {
	path := filepath.Join(dir, "secret")
	return "file:" + path, os.WriteFile(path, []byte("bench"), 0o600)
}
