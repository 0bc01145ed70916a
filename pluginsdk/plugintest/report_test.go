package plugintest_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func sample() *plugintest.Report {
	return &plugintest.Report{
		Format: plugintest.ReportFormat, Flavor: "hive", Version: "0.1.0", Digest: "sha256:00", SDK: "stephost-go/0.1.0", Plugin: "bin/hive",
		Tier: plugintest.Full, Kind: plugintest.Remote, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 12.5, Jobs: 3,
		Results: []plugintest.Result{
			{ID: "run.succeeds", Says: "a step that ends well is SUCCEEDED", Outcome: plugintest.Pass, Jobs: 1, Seconds: 0.25},
			{ID: "run.fails", Says: "a step that fails is FAILED", Outcome: plugintest.Fail, Detail: "the class is <SYSTEM> & \"wrong\"\nsecond line", Jobs: 1, Seconds: 1},
			{ID: "plan.repeat", Says: "Plan shows the same", Outcome: plugintest.Absent, Detail: "needs the capability plan"},
			{ID: "logs.bytes", Says: "bytes arrive", Outcome: plugintest.Waived, Detail: "text only\nstdout differs", Jobs: 1},
		},
		Left: []string{"job-7 (key abc)"},
	}
}

func TestReportForms(t *testing.T) {
	r := sample()
	var text, js, junit bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	golden(t, "report.txt", text.Bytes())
	require.NoError(t, r.WriteJSON(&js))
	golden(t, "report.json", js.Bytes())
	require.NoError(t, r.WriteJUnit(&junit))
	golden(t, "report.xml", junit.Bytes())

	var back plugintest.Report
	require.NoError(t, json.Unmarshal(js.Bytes(), &back))
	assert.Equal(t, *r, back)
	var suite struct {
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	require.NoError(t, xml.Unmarshal(junit.Bytes(), &suite))
	assert.Equal(t, 1, suite.Failures)
	assert.Equal(t, 2, suite.Skipped)
	assert.False(t, r.OK())
	assert.Len(t, r.Failed(), 1)
}
