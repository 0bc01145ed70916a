package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/project"
)

// Whatever a directory is called, its name is one line of UTF-8 that the contract
// can carry, and the same each time. (Other systems do not let a directory have
// any bytes in its name.)
func TestNameOfAnyDirectory(t *testing.T) {
	for given, want := range map[string]string{
		"Zahlen für Ärzte":          "Zahlen für Ärzte",
		"Zahlen fu\u0308r A":        "Zahlen für A", // as macOS writes it
		"a\nb\x1bc":                 "a\uFFFDb\uFFFDc",
		"\xff\xfe":                  "\uFFFD",
		strings.Repeat("n", 255):    strings.Repeat("n", 255),
		strings.Repeat("ü\xff", 85): strings.Repeat("ü\uFFFD", 51),
	} {
		dir := filepath.Join(t.TempDir(), given)
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stephost.hcl"), nil, 0o644))
		got := named(t, project.LoadOptions{Dir: dir})
		assert.Equal(t, want, got)
		assert.True(t, utf8.ValidString(got) && len(got) <= 256, "%q", got)
	}
}
