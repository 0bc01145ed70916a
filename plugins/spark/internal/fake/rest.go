//go:build unix

package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/stephost/stephost/test/cloudfake"
)

// request creates a driver.
type request struct {
	Action      string            `json:"action"`
	AppResource *string           `json:"appResource"`
	MainClass   *string           `json:"mainClass"`
	AppArgs     []string          `json:"appArgs"`
	Version     string            `json:"clientSparkVersion"`
	Properties  map[string]string `json:"sparkProperties"`
	Environment map[string]string `json:"environmentVariables"`
}

// reply is every answer of the REST API.
type reply struct {
	Action   string `json:"action"`
	Message  string `json:"message,omitempty"`
	Version  string `json:"serverSparkVersion"`
	Success  *bool  `json:"success,omitempty"`
	ID       string `json:"submissionId,omitempty"`
	State    string `json:"driverState,omitempty"`
	WorkerID string `json:"workerId,omitempty"`
	Worker   string `json:"workerHostPort,omitempty"`
	Highest  string `json:"highestProtocolVersion,omitempty"`
}

const (
	prefix = "/v1/submissions/"
	// unknownProtocol is Spark's own status.
	unknownProtocol = 468
)

// rest serves the submission server.
func (m *master) rest() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		rest, ok := strings.CutPrefix(r.URL.Path, prefix)
		op, id, _ := strings.Cut(rest, "/")
		handler := map[string]func(http.ResponseWriter, string, []byte){
			"POST create": m.create, "POST kill": m.kill, "GET status": m.status,
		}[r.Method+" "+op]
		if !ok || handler == nil {
			wrongPath(w, r.URL.Path)
			return
		}
		m.plan.Serve(w, r, body, op, []string{id, string(body)}, refuse, func(w http.ResponseWriter, _ *http.Request) { handler(w, id, body) })
	})
}

func failure(w http.ResponseWriter, status int, message string) {
	answer(w, status, reply{Action: "ErrorResponse", Message: message, Version: version})
}

// refuse is a fault in Spark's words. Those that the REST API does not know itself
// are of what stands before it (spark.master.rest.filters, a proxy).
func refuse(w http.ResponseWriter, f cloudfake.Fault) {
	status, message := http.StatusInternalServerError, "Internal server error: java.lang.RuntimeException"
	switch f.Kind {
	case cloudfake.Throttled:
		status, message = http.StatusTooManyRequests, "Too many requests"
	case cloudfake.Expired:
		status, message = http.StatusUnauthorized, "Unauthorized"
	case cloudfake.Denied:
		status, message = http.StatusForbidden, "Forbidden"
	}
	if f.Message != "" {
		message = f.Message
	}
	failure(w, status, message)
}

func wrongPath(w http.ResponseWriter, path string) {
	const how = " Please submit requests through http://[host]:[port]/v1/submissions/..."
	switch first, _, _ := strings.Cut(strings.Trim(path, "/"), "/"); first {
	case "":
		failure(w, http.StatusBadRequest, "Missing protocol version."+how)
	case "v1":
		failure(w, http.StatusBadRequest, "Missing an action: please specify one of /create, /kill, or /status."+how)
	default:
		answer(w, unknownProtocol, reply{Action: "ErrorResponse", Version: version, Highest: "v1",
			Message: "Unknown protocol version '" + first + "'." + how})
	}
}

func (m *master) create(w http.ResponseWriter, _ string, body []byte) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		failure(w, http.StatusBadRequest, "Malformed request: "+err.Error())
		return
	}
	if missing := r.missing(); missing != "" {
		failure(w, http.StatusBadRequest, fmt.Sprintf("Malformed request: org.apache.spark.deploy.rest.SubmitRestProtocolException: Validation of message CreateSubmissionRequest failed: '%s' is missing", missing))
		return
	}
	out := reply{Action: "CreateSubmissionResponse", Version: version, Success: new(bool)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != alive {
		out.Message = "Current state is not alive: " + m.state + ". Can only accept driver submissions in ALIVE state."
	} else {
		d := m.submit(r)
		*out.Success, out.ID, out.Message = true, d.id, "Driver successfully submitted as "+d.id
	}
	answer(w, http.StatusOK, out)
}

// missing names a field without which a request is malformed.
func (r request) missing() string {
	switch {
	case r.Action != "CreateSubmissionRequest":
		return "action"
	case r.Version == "":
		return "clientSparkVersion"
	case r.AppResource == nil:
		return "appResource"
	case r.MainClass == nil:
		return "mainClass"
	case r.Properties == nil:
		return "sparkProperties"
	}
	return ""
}

func (m *master) status(w http.ResponseWriter, id string, _ []byte) {
	if id == "" {
		failure(w, http.StatusBadRequest, "Submission ID is missing in status request.")
		return
	}
	out := reply{Action: "SubmissionStatusResponse", Version: version, ID: id, Success: new(bool)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != alive {
		out.Message = "Exception from the cluster:\njava.lang.Exception: Current state is not alive: " + m.state + ". Can only request driver status in ALIVE state."
	} else if d := m.find(id); d != nil {
		*out.Success, out.State, out.Message = true, d.state, d.exception
		if d.placed {
			out.WorkerID, out.Worker = m.worker.id, m.worker.address
		}
	}
	answer(w, http.StatusOK, out)
}

func (m *master) kill(w http.ResponseWriter, id string, _ []byte) {
	if id == "" {
		failure(w, http.StatusBadRequest, "Submission ID is missing in kill request.")
		return
	}
	out := reply{Action: "KillSubmissionResponse", Version: version, ID: id, Success: new(bool)}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.find(id)
	switch {
	case m.state != alive:
		out.Message = "Current state is not alive: " + m.state + ". Can only kill drivers in ALIVE state."
	case d == nil || d.ended():
		out.Message = "Driver " + id + " has already finished or does not exist"
	default:
		d.end()
		*out.Success, out.Message = true, "Kill request for "+id+" submitted"
	}
	answer(w, http.StatusOK, out)
}
