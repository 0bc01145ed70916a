package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

const (
	// motoVersion is pinned: with it comes the API description of botocore.
	motoVersion = "5.2.5"
	// installMost bounds the installation, on a slow network.
	installMost = 8 * time.Minute
)

// python is an interpreter with moto and botocore, installed once per user. It
// skips, loudly and never in CI, where there is neither Python nor a package
// index.
func python(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "stephost-moto-"+motoVersion+"-"+strconv.Itoa(os.Getuid()))
	lock := flock.New(dir + ".lock")
	require.NoError(t, lock.Lock())
	defer lock.Unlock() //nolint:errcheck // the end of the process unlocks as well
	program := filepath.Join(dir, "bin", "python")
	if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
		return program
	}
	ctx, cancel := context.WithTimeout(context.Background(), installMost)
	defer cancel()
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{program, "-m", "pip", "install", "--quiet", "moto[server]==" + motoVersion, "regex"},
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		if text, err := cmd.CombinedOutput(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: %v\n%s", args, err, text)
			}
			t.Skipf("SKIPPED: THE REQUESTS ARE NOT CHECKED AGAINST AMAZON'S OWN API DESCRIPTION: %v: %v\n%s", args, err, text)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ready"), nil, 0o600))
	return program
}

// TestRequestsAreWhatAmazonDescribes checks the largest and the smallest request
// with the API description that botocore carries.
func TestRequestsAreWhatAmazonDescribes(t *testing.T) {
	program := python(t)
	h := newHarness(t)
	given := h.Step("given", "exit 0")
	given.Environment.GetImage().Shim = false
	for name, s := range map[string]*operatorv1.Step{"full": h.fullStep("full"), "plain": h.Step("plain", "exit 0"), "given": given} {
		t.Run(name, func(t *testing.T) {
			h.Accepted(s)
			path := filepath.Join(t.TempDir(), "request.json")
			require.NoError(t, os.WriteFile(path, h.JobOf(s.Key).Request, 0o600))
			text, err := exec.Command(program, "testdata/apicheck.py", path).CombinedOutput()
			require.NoError(t, err, "%s", text)
			assert.Empty(t, string(text))
		})
	}
	t.Run("a wrong one", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "request.json")
		require.NoError(t, os.WriteFile(path, []byte(`{"TrainingJobName":"a--"}`), 0o600))
		text, err := exec.Command(program, "testdata/apicheck.py", path).CombinedOutput()
		require.NoError(t, err, "%s", text)
		assert.NotEmpty(t, string(text), "the check can fail")
	})
}

// TestMoto runs the flavor against moto, which nobody here wrote. It runs
// nothing, ends every job at once, knows no StopTrainingJob and lets a second
// CreateTrainingJob replace the first; what it has is checked.
func TestMoto(t *testing.T) {
	program := python(t)
	address := freeAddress(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(filepath.Dir(program), "moto_server"), "-H", host, "-p", port)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	said := make(chan string, 1)
	go func() {
		var all []string
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			all = append(all, lines.Text())
		}
		said <- strings.Join(all, "\n")
	}()
	url := "http://" + address
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		r, err := client.Get(url + "/moto-api/")
		if err != nil {
			return false
		}
		return errors.Join(r.Body.Close()) == nil && r.StatusCode == http.StatusOK
	}, cloudtest.Hang, 20*time.Millisecond)

	c := &backend{Fake: &cloudfake.Fake{Client: &cloudfake.Client{URL: url}}}
	h := newHarnessOf(t, c, c.operator())
	assert.Equal(t, "sagemaker:aws:123456789012:eu-west-1", h.Target.Scope.Id)
	s := h.Step("moto", "true")
	s.Labels = map[string]string{"owner": "ada"}
	handle := h.Accepted(s)
	for _, got := range []*operatorv1.FindResponse{h.FindKey(s.Key), h.Find(&operatorv1.FindRequest{By: &operatorv1.FindRequest_RunToken{RunToken: s.RunToken}})} {
		require.Equal(t, operatorv1.FindResponse_OUTCOME_FOUND, got.Outcome, "%v", got)
		require.Len(t, got.Jobs, 1)
		assert.Equal(t, s.Key, got.Jobs[0].Key)
		assert.EqualValues(t, 1, got.Jobs[0].Attempt)
		assert.Equal(t, s.RunId, got.Jobs[0].RunId)
		assert.Equal(t, cloudtest.Digest(), got.Jobs[0].RequestDigest)
	}
	end, _ := h.Watch(s.Key, handle)
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	streams, _ := h.Logs(s.Key, handle, nil)
	assert.Empty(t, streams, "moto writes no log, and no group is no error")
	assert.Equal(t, operatorv1.FindResponse_OUTCOME_ABSENT, h.FindKey(cloudtest.KeyOf("nobody", 1)).Outcome)
	for i := range 2 {
		r, err := h.Plugin.RegistryAuth(h.Ctx(), &operatorv1.RegistryAuthRequest{Target: h.Target, Registry: account + ".dkr.ecr.eu-west-1.amazonaws.com", Repository: "ml/step", Push: true, Create: true})
		require.NoError(t, err)
		require.Empty(t, r.Diagnostics)
		assert.Equal(t, "AWS", r.Username)
		assert.Equal(t, i == 0, r.Created)
	}
	// Neither the bucket nor the role is there; IAM and S3 say so in their words.
	v, err := h.Plugin.Validate(h.Ctx(), &operatorv1.ValidateRequest{Target: h.Target, Step: s, Online: true})
	require.NoError(t, err)
	var paths []string
	for _, d := range v.Diagnostics {
		paths = append(paths, strings.Join(d.Attribute, ".")+": "+d.Severity.String())
	}
	assert.Contains(t, paths, "config.bucket_name: SEVERITY_ERROR", "%v", v.Diagnostics)
	assert.Contains(t, paths, "config.role: SEVERITY_ERROR", "%v", v.Diagnostics)

	_ = cmd.Process.Kill()
	select {
	case text := <-said:
		const quotas = "NotImplementedError: The list_service_quotas action" // which moto has not
		assert.Equal(t, strings.Count(text, quotas), strings.Count(text, "Traceback"), "moto could not read a request: %s", text)
	case <-time.After(cloudtest.Hang):
		t.Error("moto did not end")
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
