//go:build linux

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/spark"
)

// alike asks the real master and the fake the same, and compares what the flavor
// reads: status, fields, and the words that tell a state. Messages are prose.
func alike(t *testing.T, c *spark.Cluster, m *cloudfake.Fake) {
	request := func(change func(map[string]any)) string {
		r := map[string]any{
			"action": "CreateSubmissionRequest", "appResource": "", "mainClass": "org.apache.spark.deploy.SparkSubmit", "clientSparkVersion": "4.1.4",
			"appArgs": []string{"/nowhere/driver.py"}, "environmentVariables": map[string]string{"PYSPARK_DRIVER_PYTHON": "python3"},
			"sparkProperties": map[string]string{"spark.app.name": "alike", "spark.driver.memory": "512m"},
		}
		change(r)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		return string(text)
	}
	without := func(name string) string { return request(func(r map[string]any) { delete(r, name) }) }
	for name, ask := range map[string]struct{ method, path, body string }{
		"no JSON":           {"POST", "/v1/submissions/create", "{"},
		"no action":         {"POST", "/v1/submissions/create", without("action")},
		"no resource":       {"POST", "/v1/submissions/create", without("appResource")},
		"no class":          {"POST", "/v1/submissions/create", without("mainClass")},
		"no version":        {"POST", "/v1/submissions/create", without("clientSparkVersion")},
		"no properties":     {"POST", "/v1/submissions/create", without("sparkProperties")},
		"status of nobody":  {"GET", "/v1/submissions/status/driver-1", ""},
		"kill of nobody":    {"POST", "/v1/submissions/kill/driver-1", ""},
		"status without ID": {"GET", "/v1/submissions/status", ""},
		"no such action":    {"GET", "/v1/submissions/list", ""},
		"other version":     {"GET", "/v9/submissions/status/driver-1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			realStatus, realAnswer := asked(t, c.REST, ask.method, ask.path, ask.body)
			status, answer := asked(t, m.URL, ask.method, ask.path, ask.body)
			assert.Equal(t, realStatus, status)
			assert.Equal(t, realAnswer, answer)
		})
	}
	t.Run("a driver", func(t *testing.T) {
		var lives [][]map[string]any
		for _, rest := range []string{c.REST, m.URL} {
			text, status := raw(t, rest, "POST", "/v1/submissions/create", request(func(map[string]any) {}))
			require.Equal(t, http.StatusOK, status)
			var made struct {
				ID string `json:"submissionId"`
			}
			require.NoError(t, json.Unmarshal([]byte(text), &made))
			life := []map[string]any{masked(t, text)}
			var now map[string]any
			require.Eventually(t, func() bool {
				_, now = asked(t, rest, "GET", "/v1/submissions/status/"+made.ID, "")
				return now["driverState"] == "FAILED"
			}, hang, 100*time.Millisecond, "Python has no such file")
			_, killed := asked(t, rest, "POST", "/v1/submissions/kill/"+made.ID, "")
			lives = append(lives, append(life, now, killed))
		}
		assert.Equal(t, lives[0], lives[1])
	})
}

// named are drivers, workers, and their addresses.
var named = regexp.MustCompile(`(driver|worker)-[0-9]{14}-[0-9.:-]+|127\.0\.0\.1:[0-9]+`)

// asked is an answer of a REST API, masked.
func asked(t *testing.T, rest, method, path, body string) (int, map[string]any) {
	t.Helper()
	text, status := raw(t, rest, method, path, body)
	return status, masked(t, text)
}

// masked is an answer without what a message says, and what only one master would
// name.
func masked(t *testing.T, text string) map[string]any {
	t.Helper()
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(named.ReplaceAllString(text, "$1")), &answer), "%s", text)
	if _, there := answer["message"]; there {
		answer["message"] = "prose"
	}
	return answer
}

func raw(t *testing.T, rest, method, path, body string) (text string, status int) {
	req, err := http.NewRequest(method, rest+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data), resp.StatusCode
}
