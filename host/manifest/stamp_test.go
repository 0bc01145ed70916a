package manifest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
)

func TestStamp(t *testing.T) {
	body := minimal("x", "")
	stamped := manifest.Stamp(body)
	assert.Equal(t, stamped, manifest.Stamp(stamped), "stamping twice changes nothing")
	assert.True(t, bytes.HasSuffix(stamped, body))
	assert.True(t, manifest.Stamped(stamped))
	assert.False(t, manifest.Stamped(body))
	assert.Equal(t, manifest.Digest(body), manifest.Digest(stamped), "the digest is that of the text below the line")
	assert.Regexp(t, `^#!stephost flavor manifest v1 \d+ sha256:[0-9a-f]{64}\n`, string(stamped))

	edited := bytes.Replace(stamped, []byte("1.0.0"), []byte("1.0.1"), 1)
	assert.False(t, manifest.Stamped(edited))
	var src diag.Sources
	m, diags := manifest.Parse(&src, "flavor.hcl", edited)
	require.NotNil(t, m)
	require.Len(t, diags, 1)
	assert.Equal(t, "The header line is out of date", diags[0].Summary)
	assert.Equal(t, manifest.Digest(manifest.Stamp(edited)), m.Digest)
	assert.Equal(t, "1.0.1", m.Version)

	for _, odd := range []string{"", "\n", "#!stephost flavor manifest v1 ", "#!stephost flavor manifest v1 -1 sha256:x\n", "#!stephost flavor manifest v1"} {
		again := manifest.Stamp([]byte(odd))
		assert.True(t, manifest.Stamped(again), odd)
	}
}

func TestComment(t *testing.T) {
	body := []byte("flavor \"x\" {\r\n\n  summary = \"a\"\n}")
	for _, prefix := range []string{"# ", "// ", "#"} {
		out := string(manifest.Comment(body, prefix))
		for line := range strings.Lines(out) {
			assert.True(t, strings.HasPrefix(line, strings.TrimSpace(prefix)), line)
			assert.NotContains(t, line, "\r")
			assert.Equal(t, strings.TrimRight(line, " \n")+"\n", line, "no trailing space that an editor would trim")
		}
	}
}
