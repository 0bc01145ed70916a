package manifest_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "go test -update writes the golden files")
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return b
}

func rendered(t *testing.T, src *diag.Sources, diags hcl.Diagnostics) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, src.WriteText(&b, diags, diag.TextOptions{}))
	return b.String()
}

// minimal is the smallest manifest, with more lines.
func minimal(name, more string) []byte {
	return []byte("flavor \"" + name + "\" {\n  version     = \"1.0.0\"\n  protocol    = [1]\n  summary     = \"For tests.\"\n  environment = [\"none\"]\n" + more + "}\n")
}

func TestParse(t *testing.T) {
	var src diag.Sources
	m, diags := manifest.Parse(&src, "flavor.hcl", read(t, "testdata/sagemaker.flavor.hcl"))
	require.Empty(t, diags)
	assert.Equal(t, "sagemaker", m.Name)
	assert.Equal(t, "0.1.0", m.Version)
	assert.Equal(t, []int{1}, m.Protocol)
	assert.Equal(t, []string{"image"}, m.Environments)
	assert.Equal(t, manifest.Submission{Idempotency: "key", KeyLives: "forever", Settle: time.Minute, Keeps: 168 * time.Hour}, m.Submission)
	assert.True(t, m.Can("logs"))
	assert.False(t, m.Can("prepare"))
	assert.Len(t, m.Schema.Attributes, 25)
	assert.Len(t, m.Schema.Rules, 3)
	assert.Equal(t, `settings.use_spot`, m.Schema.Lookup("max-wait").AppliesWhenText)
	assert.Same(t, m.Schema.Lookup("bucket"), m.Schema.Lookup("bucket_name"))
	assert.Contains(t, m.Prerequisites, "written ${amount}")

	m, diags = manifest.Parse(nil, "flavor.hcl", minimal("x", ""))
	require.Empty(t, diags)
	assert.Equal(t, "none", m.Secrets)
	assert.Equal(t, "none", m.Outputs)
	assert.Equal(t, "none", m.Submission.Idempotency)
	assert.Equal(t, []int{1}, m.Handles)
}

// TestBad shows what an author reads: all mistakes of a file at once.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.hcl")
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var src diag.Sources
			m, diags := manifest.Parse(&src, "flavor.hcl", read(t, file))
			assert.Nil(t, m)
			assert.True(t, diags.HasErrors())
			golden(t, file+".txt", rendered(t, &src, diags))
		})
	}
}

// A text must not change how a terminal shows what is around it.
func TestControlCharacters(t *testing.T) {
	for _, tc := range []struct {
		more, want string // "" = accepted
	}{
		{`prerequisites = "A\u001b[31mRED"`, "U+001B"},
		{"prerequisites = \"A\u202eB\"", "U+202E"},
		{`prerequisites = "A\u2066B"`, "U+2066"},
		{`prerequisites = "A\rB"`, "U+000D"},
		{`prerequisites = "\u0085"`, "U+0085"},
		{`prerequisites = "\u2028"`, "U+2028"},
		{"prerequisites = <<EOT\nA\u0007\nEOT", "U+0007"},
		{"rule {\n  condition     = true\n  error_message = \"\\u009b1m ${config}\"\n}", "U+009B"},
		{`config "a" {
  type    = string
  default = "\u200f"
}`, "U+200F"},
		{"prerequisites = <<EOT\nA\tB\n\nC\u00e9 \U0001f600\nEOT", ""},
		{"prerequisites = <<EOT\r\nA\r\nEOT\r", ""},
		{"# a comment \u202e", ""},
		{`config "a" {
  type    = string
  default = "a"
  validation {
    condition     = !strcontains(value, "\u0000")
    error_message = "must not hold a NUL"
  }
}`, ""},
	} {
		var src diag.Sources
		m, diags := manifest.Parse(&src, "flavor.hcl", minimal("x", tc.more+"\n"))
		if tc.want == "" {
			require.Empty(t, diags, tc.more)
			continue
		}
		assert.Nil(t, m, tc.more)
		require.NotEmpty(t, diags, tc.more)
		assert.Equal(t, "A control character in a text", diags[0].Summary)
		assert.Contains(t, diags[0].Detail, tc.want)
		assert.GreaterOrEqual(t, diags[0].Subject.Start.Line, 6)
		assert.NotContains(t, rendered(t, &src, diags), "\x1b")
	}
}

func TestBadBytes(t *testing.T) {
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"binary":   {[]byte("\x7fELF\x02\x01\x01\x00"), "Not a text file"},
		"large":    {[]byte("# " + strings.Repeat("x", manifest.MaxManifest)), "Manifest too large"},
		"10 MB":    {minimal("x", "prerequisites = \""+strings.Repeat("x", 10<<20)+"\"\n"), "Manifest too large"},
		"brackets": {[]byte("a = " + strings.Repeat("[", 10_000)), "Nested too deeply"},
		"nothing":  {nil, "No flavor block"},
	} {
		t.Run(name, func(t *testing.T) {
			var src diag.Sources
			m, diags := manifest.Parse(&src, "flavor.hcl", tc.data)
			assert.Nil(t, m)
			require.Len(t, diags, 1)
			assert.Equal(t, tc.want, diags[0].Summary)
			assert.Less(t, len(rendered(t, &src, diags)), 2000)
		})
	}
}

func TestUnknownCapabilityOfALaterMinor(t *testing.T) {
	var src diag.Sources
	m, diags := manifest.Parse(&src, "flavor.hcl", minimal("x", "capabilities = [\"teleport\"]\n"))
	require.NotNil(t, m)
	require.Len(t, diags, 1)
	assert.Equal(t, hcl.DiagWarning, diags[0].Severity)
}

func TestReservedNamesAreSortedOut(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range manifest.ReservedNames() {
		assert.False(t, seen[name], name)
		assert.NotContains(t, name, "-")
		seen[name] = true
		_, diags := manifest.Parse(nil, "f", minimal("x", "setting \""+name+"\" {\n  type = string\n}\n"))
		assert.True(t, diags.HasErrors(), name)
	}
}

func BenchmarkParseManifest(b *testing.B) {
	data := read(b, "testdata/sagemaker.flavor.hcl")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, diags := manifest.Parse(nil, "flavor.hcl", data); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(read(f, "testdata/sagemaker.flavor.hcl"))
	f.Add(manifest.Stamp(minimal("x", "")))
	f.Add([]byte(places))
	files, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var src diag.Sources
		m, diags := manifest.Parse(&src, "flavor.hcl", data)
		var b strings.Builder
		if err := src.WriteText(&b, diags, diag.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if (m == nil) != diags.HasErrors() {
			t.Fatal("a manifest without errors, or errors with a manifest")
		}
		if m == nil {
			return
		}
		manifest.Markdown(m)
		if _, err := manifest.JSONSchema(m); err != nil {
			t.Fatal(err)
		}
		again, diags := manifest.Parse(nil, "flavor.hcl", manifest.Stamp(data))
		if diags.HasErrors() || again.Digest != m.Digest {
			t.Fatal("stamping changed the manifest")
		}
	})
}
