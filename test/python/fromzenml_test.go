package python

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stepWords are what the right column names besides fields of a flavor: parts of the
// step, which every flavor has, and values of fields.
var stepWords = []string{"env", "retry", "resources", "timeouts", "gpu_type", "labels", "true", "yarn"}

var (
	// A flavor's section, and the flavor at the head of a row of the shared one.
	fieldsOf = regexp.MustCompile(`(?m)^### Fields: (.*)$`)
	rowOf    = regexp.MustCompile("^([a-z]+) `")
	quoted   = regexp.MustCompile("`([^`]+)`")
	isName   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	declared = regexp.MustCompile(`(?m)^  (?:config|setting) "([a-z0-9_]+)"`)
	aliases  = regexp.MustCompile(`(?m)^    aliases +=(.*)$`)
	inText   = regexp.MustCompile(`"([a-z0-9_]+)"`)
)

// fieldsOfManifest are the names that a flavor takes.
func fieldsOfManifest(t *testing.T, flavor string) []string {
	data, err := os.ReadFile(filepath.Join("../../plugins", flavor, "flavor.hcl"))
	require.NoError(t, err)
	var names []string
	for _, m := range declared.FindAllStringSubmatch(string(data), -1) {
		names = append(names, m[1])
	}
	for _, m := range aliases.FindAllStringSubmatch(string(data), -1) {
		for _, a := range inText.FindAllStringSubmatch(m[1], -1) {
			names = append(names, a[1])
		}
	}
	require.NotEmpty(t, names)
	return names
}

// TestFromZenML holds the tables of fields against the manifests: every name that the
// right column gives, and every one that is said to be the same, is one that the
// flavor takes.
func TestFromZenML(t *testing.T) {
	data, err := os.ReadFile("../../docs/from-zenml.md")
	require.NoError(t, err)
	checked := map[string]int{}
	sections := fieldsOf.FindAllStringSubmatchIndex(string(data), -1)
	require.NotEmpty(t, sections)
	for _, at := range sections {
		title := string(data[at[2]:at[3]])
		text := string(data[at[1]:])
		if end := strings.Index(text, "\n#"); end >= 0 {
			text = text[:end]
		}
		for line := range strings.Lines(text) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			if len(cells) != 2 || !strings.Contains(cells[0], "`") {
				continue
			}
			left, right := strings.TrimSpace(cells[0]), cells[1]
			flavor := title
			if m := rowOf.FindStringSubmatch(left); m != nil && strings.Contains(title, ",") {
				flavor = m[1]
			}
			names := quoted.FindAllStringSubmatch(right, -1)
			if strings.Contains(right, "the same") {
				names = append(names, quoted.FindAllStringSubmatch(left, -1)...)
			}
			known := fieldsOfManifest(t, flavor)
			for _, m := range names {
				name, _, _ := strings.Cut(m[1], " ") // create = true
				name, _, _ = strings.Cut(name, ".")  // timeouts.run
				if !isName.MatchString(name) || slices.Contains(stepWords, name) {
					continue // local[N], spark://...
				}
				assert.Contains(t, known, name, "%s has no field %q: %s", flavor, name, strings.TrimSpace(line))
				checked[flavor]++
			}
		}
	}
	for _, flavor := range []string{"azureml", "kubernetes", "sagemaker", "vertex"} {
		assert.Greater(t, checked[flavor], 4, flavor)
	}
}
