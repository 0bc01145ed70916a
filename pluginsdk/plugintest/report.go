package plugintest

import (
	"encoding/json"
	"io"
	"time"
)

// ReportFormat is the version of the JSON form of a Report.
const ReportFormat = 1

// Outcome of a check.
type Outcome string

const (
	// Pass: the plugin keeps this part of the contract, as far as was seen.
	Pass Outcome = "pass"
	// Fail: it does not; Detail says what was seen.
	Fail Outcome = "fail"
	// Absent: it was not checked; Detail says what that would need.
	Absent Outcome = "absent"
	// Waived: it failed, and Config.Waive gives a reason.
	Waived Outcome = "waived"
)

// Result of one check.
type Result struct {
	ID string `json:"id"`
	// Says is the sentence that holds when the check passes.
	Says    string  `json:"says"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"`
	// Jobs that it was to start.
	Jobs    int     `json:"jobs,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Report of one run of the suite.
type Report struct {
	Format  int       `json:"format"`
	Flavor  string    `json:"flavor"`
	Version string    `json:"version"`
	Digest  string    `json:"manifest_digest"`
	SDK     string    `json:"sdk,omitempty"`
	Plugin  string    `json:"plugin"`
	Tier    Tier      `json:"tier"`
	Kind    Kind      `json:"kind"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Jobs    int       `json:"jobs"`
	Results []Result  `json:"results"`
	// Left are jobs that the suite could not see to their end.
	Left []string `json:"left,omitempty"`
}

// OK tells whether no check failed.
func (r *Report) OK() bool { return len(r.Failed()) == 0 }

// Failed are the results that failed, in the order of the checks.
func (r *Report) Failed() []Result { return r.with(Fail) }

func (r *Report) with(o Outcome) []Result {
	var out []Result
	for _, x := range r.Results {
		if x.Outcome == o {
			out = append(out, x)
		}
	}
	return out
}

// WriteJSON writes the report as one JSON document.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
