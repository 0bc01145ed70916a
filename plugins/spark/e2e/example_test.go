//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example launches a step of examples/spark and returns its result.
func (w *world) example(step string, flags ...string) (outcome, result) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "result.json")
	args := append([]string{"-C", filepath.Join(root, "examples", "spark"), "launch", step, "--operator", "op", "--python", install.Python, "--result-file", path}, flags...)
	o := w.run(args...)
	var r result
	text, err := os.ReadFile(path)
	require.NoError(w.t, err, "%s", o.stderr)
	require.NoError(w.t, json.Unmarshal(text, &r), "%s", text)
	return o, r
}

// words launches the word count and the join over a million rows. The step itself
// compares with the same computed without Spark.
func (w *world) words(flags ...string) {
	w.t.Helper()
	o, r := w.example("words", append(flags, "--", "python", "words.py", "--rows", "1000000", "--data", filepath.Join(w.dir, "data"))...)
	require.Zero(w.t, o.code, "%s\n%s", o.stdout, o.stderr)
	assert.Contains(w.t, o.stdout, "without Spark: the same\n")
	assert.EqualValues(w.t, 1000000, r.Values["rows"])
	assert.Equal(w.t, "word0", r.Values["top"])
	require.Len(w.t, r.Outputs, 1)
	assert.Equal(w.t, "countries.json", r.Outputs[0].Name)
}

// TestExample runs the example on a local master; TestStandalone does on a cluster.
func TestExample(t *testing.T) {
	w := newWorld(t, "--master=local[2]")
	t.Run("words", func(t *testing.T) {
		w := *w
		w.t = t
		w.words()
	})
	t.Run("digits", func(t *testing.T) {
		w := *w
		w.t = t
		o, r := w.example("digits", "--", "python", "train.py", "--epochs", "20")
		require.Zero(t, o.code, "%s\n%s", o.stdout, o.stderr)
		assert.Contains(t, o.stdout, "epoch 20/20 loss ")
		assert.Greater(t, r.Values["accuracy"], 0.8)
		require.Len(t, r.Outputs, 1)
		assert.Equal(t, "model.pkl", r.Outputs[0].Name)
	})
}
