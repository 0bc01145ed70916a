package standalone

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers each path with a text; a status of 0 closes the connection.
func serve(t *testing.T, pages map[string]string, status int) (*Client, string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == 0 {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
			return
		}
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page)
	}))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return &Client{REST: s.URL, HTTP: &http.Client{Transport: transport}}, s.URL
}

func TestCreate(t *testing.T) {
	const path = "/v1/submissions/create"
	for name, tc := range map[string]struct {
		page   string
		status int
		check  func(t *testing.T, id string, err error)
	}{
		"made": {`{"success":true,"submissionId":"driver-1"}`, 200, func(t *testing.T, id string, err error) {
			require.NoError(t, err)
			assert.Equal(t, "driver-1", id)
		}},
		"no":              {`{"success":false,"message":"standby"}`, 200, refused},
		"bad request":     {`{"action":"ErrorResponse","message":"what?"}`, 400, refused},
		"login":           {`no`, 401, refused},
		"broken":          {`oops`, 500, open},
		"no name":         {`{"success":true}`, 200, open},
		"something else":  {`<html>`, 200, open},
		"connection lost": {``, 0, open},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serve(t, map[string]string{path: tc.page}, tc.status)
			id, err := c.Create(context.Background(), Request{})
			tc.check(t, id, err)
		})
	}
	dead := &Client{REST: "http://127.0.0.1:1", HTTP: http.DefaultClient}
	_, err := dead.Create(context.Background(), Request{})
	assert.ErrorIs(t, err, ErrNotSent)
}

func refused(t *testing.T, _ string, err error) {
	var r *RefusedError
	require.ErrorAs(t, err, &r)
}

// open: a driver may exist.
func open(t *testing.T, _ string, err error) {
	require.Error(t, err)
	var r *RefusedError
	assert.False(t, errors.As(err, &r))
	assert.NotErrorIs(t, err, ErrNotSent)
}

func TestDriver(t *testing.T) {
	for name, tc := range map[string]struct {
		page string
		want Driver
		err  string
	}{
		"running":    {`{"success":true,"driverState":"RUNNING","workerId":"w","workerHostPort":"h:1"}`, Driver{State: "RUNNING", WorkerID: "w", WorkerHostPort: "h:1"}, ""},
		"not found":  {`{"success":false,"driverState":"NOT_FOUND"}`, Driver{}, ""},
		"forgotten":  {`{"success":false}`, Driver{}, ""},
		"standby":    {`{"success":false,"message":"Current state is not alive: STANDBY."}`, Driver{}, "does not say"},
		"other page": {`<html>`, Driver{}, "REST API of Spark"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serve(t, map[string]string{"/v1/submissions/status/d": tc.page}, 200)
			got, err := c.Driver(context.Background(), "d")
			if tc.err != "" {
				assert.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

// TestMaster: of several masters the one in charge counts, and its workers tell
// about executors.
func TestMaster(t *testing.T) {
	c, standby := serve(t, map[string]string{"/json/": `{"status":"STANDBY"}`}, 200)
	_, worker := serve(t, map[string]string{"/json/": `{"executors":[{"appid":"a"},{"appid":"b"},{"appid":"a"}]}`}, 200)
	_, alive := serve(t, map[string]string{"/json/": `{"status":"ALIVE","activeapps":[{"id":"a"}],"workers":[
		{"id":"w","state":"ALIVE","webuiaddress":"` + worker + `"},{"id":"x","state":"DEAD","webuiaddress":"http://127.0.0.1:1"}]}`}, 200)
	m, err := c.Master(context.Background(), []string{"http://127.0.0.1:1", standby, alive})
	require.NoError(t, err)
	assert.True(t, m.Has("a"))
	assert.False(t, m.Has("b"))
	n, err := c.Executors(context.Background(), m, "a")
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	_, err = c.Master(context.Background(), []string{standby})
	assert.ErrorContains(t, err, "STANDBY")
}

func TestLog(t *testing.T) {
	c, ui := serve(t, map[string]string{"/log/": "==== Bytes 5-10 of 12 of /w/driver-1/stdout ====\nab\nc\n"}, 200)
	got, err := c.Log(context.Background(), ui, "driver-1", "stdout", 5, 5)
	require.NoError(t, err)
	assert.Equal(t, Chunk{Start: 5, End: 10, Total: 12, Text: []byte("ab\nc\n")}, got)
	_, err = parseLog([]byte("Error: Log type must be one of out, stdout, stderr"))
	assert.ErrorContains(t, err, "shows no log")
}

func TestProgress(t *testing.T) {
	c, ui := serve(t, map[string]string{
		"/api/v1/applications": `[{"id":"local-1"}]`,
		"/api/v1/applications/local-1/stages": `[{"status":"ACTIVE","numTasks":4,"numActiveTasks":2,"numCompleteTasks":1,"numFailedTasks":1},
			{"status":"COMPLETE","numTasks":3,"numCompleteTasks":3},{"status":"SKIPPED","numTasks":9}]`,
	}, 200)
	p, err := c.Progress(context.Background(), ui, "")
	require.NoError(t, err)
	assert.Equal(t, "local-1", p.App)
	assert.Equal(t, "stages 1/2, tasks 4/7, 2 running, 1 failed", p.String())
	assert.Equal(t, "no stage yet", Progress{}.String())
}
