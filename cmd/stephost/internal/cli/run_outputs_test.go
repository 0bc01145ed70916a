//go:build !front

package cli

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/fetch"
	"github.com/stephost/stephost/host/runs"
)

// What nobody here can read is named, with the tool of its store.
func TestByHand(t *testing.T) {
	for location, want := range map[string]string{
		"s3://b/k/":                              "aws s3 cp --recursive s3://b/k/ out",
		"gs://b/k/":                              "gcloud storage cp --recursive gs://b/k/ out",
		"azureml://jobs/j-1/outputs/artifacts/x": "az ml job download --all --name j-1 --download-path out",
		"hive://x":                               "the backend's own tools",
	} {
		assert.Contains(t, byHand(location, "out"), want)
	}
}

// In a pipe each file is a line of stdout, and trouble is told once.
func TestMeterInAPipe(t *testing.T) {
	var out, errs bytes.Buffer
	m := newMeter(&app{stdout: &out, stderr: &errs})
	m.progress(fetch.Progress{Files: 2, Total: 2048})
	for range 3 {
		m.trouble("a", errors.New("no route"))
	}
	m.done(fetch.Fetched{Path: "out/a", State: fetch.Read})
	m.done(fetch.Fetched{Path: "out/b", State: fetch.Kept})
	m.progress(fetch.Progress{Done: 2, Files: 2, Bytes: 2048, Total: 2048})
	m.close()
	assert.Equal(t, "out/a\nout/b\n", out.String())
	assert.Equal(t, "a: trying again: no route\nwas there already: out/b\nfetched 2 of 2 files, 2.0 KiB of 2.0 KiB\n", errs.String())
}

// Outputs of this machine need neither store nor plugin.
func TestGetOutputsOfThisMachine(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(from+"/f", []byte("x"), 0o600))
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs}
	r := overRun(runs.Verdict{Class: "succeeded", Outputs: []runs.Output{{Name: "tree", Location: from, Bytes: -1}}})
	require.NoError(t, a.getOutputs(t.Context(), r, to, false))
	assert.Equal(t, to+"/tree/f\n", out.String())
	assert.Contains(t, errs.String(), "fetched 1 of 1 files, 1 B of 1 B")
}
