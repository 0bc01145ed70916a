package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// rest serves the JSON APIs.
func (s *server) rest() http.Handler {
	mux := http.NewServeMux()
	add := func(pattern, op string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if op != "Token" && !s.tokens.good(r.Header.Get("Authorization")) {
				fail(w, http.StatusUnauthorized, "Invalid Credentials")
				return
			}
			s.plan.Serve(w, r, body, op, []string{r.URL.Path, r.URL.Query().Get("name")}, refuse, h)
		})
	}
	add("POST /token", "Token", s.tokens.grant)
	add("POST /v1/projects/-/serviceAccounts/{account}", "GenerateAccessToken", s.tokens.impersonate)
	add("POST /upload/storage/v1/b/{bucket}/o", "PutObject", s.objects.put)
	add("GET /storage/v1/b/{bucket}/o", "ListObjects", s.objects.list)
	add("GET /storage/v1/b/{bucket}/o/{name...}", "GetObject", s.objects.object)
	add("DELETE /storage/v1/b/{bucket}/o/{name...}", "DeleteObject", s.objects.object)
	add("GET /storage/v1/b/{bucket}/iam/testPermissions", "TestPermissions", s.permissions)
	add("GET /v1/projects/{project}/locations/{location}/repositories/{name}", "GetRepository", s.getRepository)
	add("POST /v1/projects/{project}/locations/{location}/repositories", "CreateRepository", s.createRepository)
	add("GET /v1/projects/{project}/locations/global/services/{service}/quotaInfos", "QuotaInfos", s.quotas)
	return mux
}

func give(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a caller that went away needs no answer
}

// fail writes an error as Google's JSON APIs do.
func fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": text, "errors": []map[string]string{{"message": text}}}})
}

func (s *server) permissions(w http.ResponseWriter, r *http.Request) {
	if !s.objects.there(r.PathValue("bucket")) {
		fail(w, http.StatusNotFound, "The specified bucket does not exist.")
		return
	}
	give(w, map[string]any{"permissions": r.URL.Query()["permissions"]})
}

func repositoryOf(r *http.Request, name string) string {
	return r.PathValue("project") + "/" + r.PathValue("location") + "/" + name
}

func (s *server) getRepository(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.repos[repositoryOf(r, r.PathValue("name"))] {
		fail(w, http.StatusNotFound, "Requested entity was not found.")
		return
	}
	give(w, map[string]string{"name": r.PathValue("name"), "format": "DOCKER"})
}

func (s *server) createRepository(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := repositoryOf(r, r.URL.Query().Get("repositoryId"))
	if s.repos[name] {
		fail(w, http.StatusConflict, "the repository already exists")
		return
	}
	s.repos[name] = true
	give(w, map[string]any{"name": "operations/1", "done": true})
}

func (s *server) quotas(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := []any{}
	for metric, limit := range s.set.quota {
		infos = append(infos, map[string]any{"metric": r.PathValue("service") + "/" + metric, "dimensionsInfos": []any{
			map[string]any{"applicableLocations": []string{"europe-west1"}, "details": map[string]string{"value": strconv.FormatInt(limit, 10)}},
		}})
	}
	give(w, map[string]any{"quotaInfos": infos})
}

// tokens are the access tokens that were given out.
type tokens struct {
	mu    sync.Mutex
	next  int
	life  time.Duration
	until map[string]time.Time
}

func newTokens() *tokens { return &tokens{life: time.Hour, until: map[string]time.Time{}} }

func (t *tokens) lives(seconds string) error {
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life = time.Duration(n) * time.Second
	return nil
}

// revoke ends all tokens.
func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = map[string]time.Time{}
}

// good tells whether an authorization header holds a token that is valid.
func (t *tokens) good(header string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	end, ok := t.until[strings.TrimPrefix(header, "Bearer ")]
	return ok && time.Now().Before(end)
}

func (t *tokens) make(prefix string) (token string, life time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	token = fmt.Sprintf("%s-%d", prefix, t.next)
	t.until[token] = time.Now().Add(t.life)
	return token, t.life
}

// grant is the token endpoint of OAuth 2.0: a signed assertion of a service
// account, or the refresh token of a person.
func (t *tokens) grant(w http.ResponseWriter, r *http.Request) {
	if err := checkGrant(r); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		give(w, map[string]string{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	token, life := t.make("fake-token")
	give(w, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(life.Seconds())})
}

func checkGrant(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	switch r.Form.Get("grant_type") {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		if strings.Count(r.Form.Get("assertion"), ".") != 2 {
			return errors.New("the assertion is no JWT")
		}
	case "refresh_token":
		if r.Form.Get("refresh_token") != "good" {
			return errors.New("token has been expired or revoked")
		}
	default:
		return errors.New("unsupported grant type")
	}
	return nil
}

// impersonate is IAM Credentials: POST .../ACCOUNT:generateAccessToken.
func (t *tokens) impersonate(w http.ResponseWriter, r *http.Request) {
	account, ok := strings.CutSuffix(r.PathValue("account"), ":generateAccessToken")
	if !ok {
		fail(w, http.StatusNotFound, "not found")
		return
	}
	token, life := t.make("acting-as-" + account)
	give(w, map[string]string{"accessToken": token, "expireTime": time.Now().Add(life).UTC().Format(time.RFC3339)})
}
