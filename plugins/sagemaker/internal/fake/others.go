package fake

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/test/cloudfake"
)

// serveQuery answers STS and IAM.
func (s *Server) serveQuery(w http.ResponseWriter, form url.Values) {
	s.mu.Lock()
	account := s.account
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	switch form.Get("Action") {
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::%s:user/tester</Arn><UserId>AIDA</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, account, account)
	case "AssumeRole":
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAASSUMED</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials><AssumedRoleUser><Arn>%s</Arn><AssumedRoleId>x</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339), form.Get("RoleArn"))
	case "GetRole":
		name := form.Get("RoleName")
		if strings.Contains(name, "missing") {
			answerXMLError(w, &apiError{http.StatusNotFound, "NoSuchEntity", "The role with name " + name + " cannot be found."})
			return
		}
		service := "sagemaker.amazonaws.com"
		if strings.Contains(name, "untrusted") {
			service = "ec2.amazonaws.com"
		}
		trust := url.QueryEscape(`{"Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`)
		fmt.Fprintf(w, `<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws:iam::%s:role/%s</Arn><AssumeRolePolicyDocument>%s</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>`, account, name, trust)
	default:
		answerXMLError(w, &apiError{http.StatusBadRequest, "InvalidAction", form.Get("Action")})
	}
}

// serveS3 answers HeadBucket, ListObjectsV2 and GetObject, with the bucket in
// the path. Every bucket exists whose name does not say otherwise.
func (s *Server) serveS3(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if strings.Contains(bucket, "missing") {
		answerXMLError(w, &apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"})
		return
	}
	switch {
	case r.Method == http.MethodHead && key == "":
		return
	case r.URL.Query().Has("list-type"):
		s.listObjects(w, bucket, r.URL.Query())
	default:
		s.mu.Lock()
		path := s.objects[bucket+"/"+key]
		s.mu.Unlock()
		switch size, ok := cloudfake.ServeObject(w, r, path, cloudfake.ObjectVersion(path)); {
		case ok:
		case size < 0:
			answerXMLError(w, &apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."})
		default:
			answerXMLError(w, &apiError{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"})
		}
	}
}

func (s *Server) listObjects(w http.ResponseWriter, bucket string, q url.Values) {
	type object struct {
		Key, ETag, LastModified string
		Size                    int64
	}
	var list []object
	s.mu.Lock()
	for at, path := range s.objects {
		key, ok := strings.CutPrefix(at, bucket+"/")
		if info, err := os.Stat(path); ok && err == nil && strings.HasPrefix(key, q.Get("prefix")) {
			list = append(list, object{key, strconv.Quote(cloudfake.ObjectVersion(path)), info.ModTime().UTC().Format(time.RFC3339), info.Size()})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b object) int { return strings.Compare(a.Key, b.Key) })
	const most = 2 // small pages: every caller must go on
	out, next := page(list, q.Get("continuation-token"), most)
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name                  string
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
	}{Name: bucket, IsTruncated: next != "", NextContinuationToken: next, Contents: out})
}

func (s *Server) createRepository(region string, in []byte) (any, error) {
	r, err := read[struct{ RepositoryName, RegistryID string }](in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repos[region+"/"+r.RepositoryName] {
		return nil, &apiError{http.StatusBadRequest, "RepositoryAlreadyExistsException", "The repository already exists"}
	}
	s.repos[region+"/"+r.RepositoryName] = true
	return map[string]any{"repository": map[string]string{"repositoryName": r.RepositoryName}}, nil
}

func (s *Server) getAuthorizationToken(string, []byte) (any, error) {
	const hours = 12
	return map[string]any{"authorizationData": []map[string]any{{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:ecr-password")),
		"expiresAt":          seconds(time.Now().Add(hours * time.Hour)),
	}}}, nil
}

// listServiceQuotas gives 2 of each type that it knows, and none of the large
// ones, as in new accounts.
func (s *Server) listServiceQuotas(_ string, in []byte) (any, error) {
	r, err := read[struct{ NextToken string }](in)
	if err != nil {
		return nil, err
	}
	quota := func(name string, value float64) map[string]any {
		return map[string]any{"QuotaName": name, "Value": value}
	}
	pages := map[string]any{
		"":  map[string]any{"Quotas": []map[string]any{quota("ml.p5.48xlarge for training job usage", 0)}, "NextToken": "2"},
		"2": map[string]any{"Quotas": []map[string]any{quota("ml.m5.large for training job usage", 2), quota("ml.m5.large for spot training job usage", 0)}},
	}
	return pages[r.NextToken], nil
}
