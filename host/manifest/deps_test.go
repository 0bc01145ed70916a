package manifest_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDependencies keeps the contract's machinery out of what only reads: see
// the package's invariants.
func TestDependencies(t *testing.T) {
	for _, pkg := range []string{".", "../schema", "../diag"} {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		require.NoError(t, err)
		for dep := range strings.FieldsSeq(string(out)) {
			for _, banned := range []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/hashicorp/go-plugin", "net/http", "modernc.org"} {
				assert.False(t, dep == banned || strings.HasPrefix(dep, banned+"/"), "%s imports %s", pkg, dep)
			}
		}
	}
}
