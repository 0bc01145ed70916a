package main

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nasty are arguments that a shell, AzureML's templates or JSON would change.
func nasty() []string {
	return []string{
		"plain", "", " ", "a b", "'", "''", `"`, `\`, `\\'`, "$HOME", "$(id)", "`id`", "${{inputs.x}}", "'${{inputs.x}}'", "\n${{x}}\n", "$${{{{x}}}}", "$'${{",
		"a\nb", "a\r\nb", "\t", "\x01", "\x7f", "é\u2028ü", "*", "~", "!", "#x", "-n", "&&", ";", "|", ">", "%s", "\xff", "\xff0", "a\xc3", "\xfe\n41", "{{", "$", "日本",
	}
}

// TestQuote lets a real bash read each word.
func TestQuote(t *testing.T) {
	for _, arg := range nasty() {
		word := quote(arg)
		assert.NotContains(t, word, "${{", "%q", arg)
		assert.True(t, utf8.ValidString(word), "%q", arg)
		assert.False(t, strings.ContainsAny(word, "\n\r"), "%q", arg)
		out, err := exec.Command("bash", "-c", "printf %s "+word+"; printf .").Output()
		require.NoError(t, err, "%q", arg)
		assert.Equal(t, arg+".", string(out), "%q -> %s", arg, word)
	}
}

func TestEnvironmentParts(t *testing.T) {
	for given, want := range map[string][3]string{
		"sklearn": {"sklearn", "", ""}, "sklearn:7": {"sklearn", "7", ""}, "azureml:sklearn:7": {"sklearn", "7", ""}, "azureml:sklearn@latest": {"sklearn", "", ""},
		"azureml://registries/azureml/environments/e/versions/1": {"", "", "azureml://registries/azureml/environments/e/versions/1"},
	} {
		name, version, full := environmentParts(given)
		assert.Equal(t, want, [3]string{name, version, full}, given)
	}
}
