package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bashTab stands in for a bash whose user presses TAB at the end of a line: readline has
// split the line, also at "=" and ":". A function stands in for stephost, and writes down
// what it was asked.
const bashTab = `
stephost() { printf '%s\n' "$@" > "$ASKED"; cat "$ANSWER"; }
source "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9 COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
read -ra COMP_WORDS <<< "$SPLIT"
[[ $LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__start_stephost 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
`

// bashPackage is the one function of the package bash-completion that matters.
const bashPackage = `
_get_comp_words_by_ref() { read -ra words <<< "$LINE"; [[ $LINE == *' ' ]] && words+=(''); cword=$((${#words[@]} - 1)); cur=${words[cword]}; }
`

// The script for bash completes the forms that the help names, with the package
// bash-completion and without.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	w := newWorld(t)
	w.registerCloud()
	require.Zero(t, w.run("operator", "register", "gpu", "--flavor=cloud", "--role=train").code)
	script := w.write("script", w.run("completion", "bash").out)
	asked, answer := filepath.Join(w.base, "asked"), filepath.Join(w.base, "answer")
	for _, tc := range []struct {
		line string
		want []string
	}{
		{"stephost flavor desc", []string{"describe"}},
		{"stephost flavor describe ", []string{"cloud"}},
		{"stephost operator register x --flavor=", []string{"cloud"}},
		{"stephost operator register x --flavor=cl", []string{"cloud"}},
		{"stephost operator register x --flavor cl", []string{"cloud"}},
		{"stephost operator register x --flavor=cloud --zone=", []string{"north", "south"}},
		{"stephost operator register x --flavor=cloud --spot=t", []string{"true"}},
		{"stephost operator register x --flavor=cloud --volume_s", []string{"--volume_size="}},
		{"stephost operator register x --flavor=cloud --volume-s", []string{"--volume-size="}},
		{"stephost operator register x --flavor=cloud --password=en", []string{"env:"}},
		{"stephost operator register x --flavor=cloud --password=env:", []string{""}}, // what stands after ":"
		{"stephost launch --operator=g", []string{"gpu"}},
	} {
		words := strings.Fields(tc.line)[1:]
		if strings.HasSuffix(tc.line, " ") {
			words = append(words, "")
		}
		require.NoError(t, os.WriteFile(answer, []byte(w.run(append([]string{"__complete"}, words...)...).out), 0o600))
		for name, before := range map[string]string{"alone": "", "package": bashPackage} {
			t.Run(tc.line+" "+name, func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c", before+bashTab)
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LINE=" + tc.line, "SPLIT=" + strings.NewReplacer("=", " = ", ":", " : ").Replace(tc.line),
					"SCRIPT=" + script, "ASKED=" + asked, "ANSWER=" + answer}
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out))
				got, err := os.ReadFile(asked)
				require.NoError(t, err, string(out))
				assert.Equal(t, strings.Join(append([]string{"__complete"}, words...), "\n")+"\n", string(got))
				assert.Equal(t, strings.Join(tc.want, "\n")+"\n", string(out))
			})
		}
	}
}
