package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// CredentialsVariable names a credentials file, for every library of Google.
const CredentialsVariable = "GOOGLE_APPLICATION_CREDENTIALS"

// cloudPlatform is the one OAuth scope that all used services take; what may be
// done is decided by IAM.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// Limits of getting a token.
const (
	// tokenTimeout bounds one question for a token: it comes before every other
	// call, and those are bounded by a minute or less.
	tokenTimeout = 15 * time.Second
	// commandTimeout bounds gcloud, which is a Python program and starts slowly.
	commandTimeout = 20 * time.Second
	// tokenSlack: a token is renewed before it ends, so that none expires on its
	// way.
	tokenSlack = 2 * time.Minute
	// impersonated is how long a token of another account lives; longer than an
	// hour needs a policy of the organization.
	impersonated = time.Hour
)

// CredentialsError says that there is no token: nothing was sent.
type CredentialsError struct{ Err error }

// Error returns the text of the cause.
func (e *CredentialsError) Error() string { return "no credentials for Google Cloud: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// file is what is read of a credentials file besides what the library reads.
type file struct {
	Type         string `json:"type"`
	ProjectID    string `json:"project_id"`
	QuotaProject string `json:"quota_project_id"`
	ClientEmail  string `json:"client_email"`
}

// ProjectOfFile is the project that a credentials file belongs to, or "".
func ProjectOfFile(path string) (string, error) {
	data, err := readFile(path)
	if err != nil {
		return "", err
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return "", err
	}
	return f.ProjectID, nil
}

func readFile(path string) ([]byte, error) {
	if rest, ok := bytes.CutPrefix([]byte(path), []byte("~/")); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(home, string(rest))
	}
	return os.ReadFile(path)
}

// login is how tokens are had.
type login struct {
	source oauth2.TokenSource
	// quota is the project that calls of a person's own login are charged to.
	quota string
	// who is the account, for messages; "" = not known.
	who string
}

// newLogin finds credentials: the file of the config, the application default
// credentials (variable, gcloud's file, metadata server), gcloud's own login.
func newLogin(ctx context.Context, path string) (*login, error) {
	switch {
	case path != "":
		return fromFile(ctx, path)
	case os.Getenv(CredentialsVariable) != "":
		return fromFile(ctx, os.Getenv(CredentialsVariable))
	}
	if path := defaultFile(); path != "" {
		if _, err := os.Stat(path); err == nil {
			return fromFile(ctx, path)
		}
	}
	found, err := google.FindDefaultCredentialsWithParams(ctx, params())
	if err == nil {
		return &login{source: found.TokenSource, who: "the account of this machine"}, nil
	}
	if name, lookErr := exec.LookPath("gcloud"); lookErr == nil {
		return &login{source: oauth2.ReuseTokenSourceWithExpiry(nil, &gcloud{name}, tokenSlack), who: "gcloud's account"}, nil
	}
	return nil, &CredentialsError{fmt.Errorf("there are no application default credentials; run `gcloud auth application-default login`, set %s, or give service_account_path: %w", CredentialsVariable, err)}
}

func params() google.CredentialsParams {
	return google.CredentialsParams{Scopes: []string{cloudPlatform}, EarlyTokenRefresh: tokenSlack}
}

func fromFile(ctx context.Context, path string) (*login, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, &CredentialsError{err}
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil || f.Type == "" {
		return nil, &CredentialsError{fmt.Errorf("%s is no credentials file of Google Cloud", path)}
	}
	// The file was named by the person whose credentials it holds, so any type of
	// it is taken.
	found, err := google.CredentialsFromJSONWithTypeAndParams(ctx, data, google.CredentialsType(f.Type), params())
	if err != nil {
		return nil, &CredentialsError{fmt.Errorf("%s: %w", path, err)}
	}
	l := &login{source: oauth2.ReuseTokenSourceWithExpiry(nil, found.TokenSource, tokenSlack), quota: f.QuotaProject, who: f.ClientEmail}
	if q := os.Getenv("GOOGLE_CLOUD_QUOTA_PROJECT"); q != "" {
		l.quota = q
	}
	return l, nil
}

// defaultFile is where gcloud leaves application default credentials.
func defaultFile() string {
	const name = "application_default_credentials.json"
	if dir := os.Getenv("CLOUDSDK_CONFIG"); dir != "" {
		return filepath.Join(dir, name)
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("APPDATA"), "gcloud", name)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config", "gcloud", name)
}

// gcloud asks the command line of Google Cloud, for people who ran `gcloud auth
// login` alone.
type gcloud struct{ name string }

// Token runs gcloud.
func (g *gcloud) Token() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, g.name, "config", "config-helper", "--format=json")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("gcloud config config-helper: %w: %s", err, firstLine(stderr.Bytes()))
	}
	var helper struct {
		Credential struct {
			AccessToken string    `json:"access_token"`
			Expiry      time.Time `json:"token_expiry"`
		} `json:"credential"`
	}
	if err := json.Unmarshal(out, &helper); err != nil || helper.Credential.AccessToken == "" {
		return nil, errors.New("gcloud config config-helper gave no access token: run `gcloud auth login`")
	}
	return &oauth2.Token{AccessToken: helper.Credential.AccessToken, Expiry: helper.Credential.Expiry}, nil
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return string(line)
}

// impersonate makes l act as another account.
func (l *login) impersonate(email, endpoint string, client *http.Client) {
	own := l.source
	l.source = oauth2.ReuseTokenSourceWithExpiry(nil, &impersonation{email: email, url: endpoint, client: client, own: own}, tokenSlack)
	l.who = email
}

// impersonation gets tokens of another account
// (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken).
type impersonation struct {
	email, url string
	client     *http.Client
	own        oauth2.TokenSource
}

// Token asks IAM Credentials.
func (i *impersonation) Token() (*oauth2.Token, error) {
	own, err := i.own.Token()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	var answer struct {
		AccessToken string    `json:"accessToken"`
		ExpireTime  time.Time `json:"expireTime"`
	}
	err = exchange(ctx, i.client, request{
		method: http.MethodPost, url: i.url + "/v1/projects/-/serviceAccounts/" + i.email + ":generateAccessToken",
		body: map[string]any{"scope": []string{cloudPlatform}, "lifetime": fmt.Sprintf("%ds", int(impersonated.Seconds()))},
	}, own.AccessToken, &answer)
	if err != nil {
		return nil, fmt.Errorf("acting as %s: %w", i.email, err)
	}
	return &oauth2.Token{AccessToken: answer.AccessToken, Expiry: answer.ExpireTime}, nil
}
