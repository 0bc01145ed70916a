package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/pyenv"
)

// venv is the virtual environment in which flavors run.
type venv struct{ pyenv.Env }

func newVenv(t *testing.T) venv {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), install)
	defer cancel()
	e, err := pyenv.Make(ctx, "../..")
	require.NoError(t, err)
	return venv{e}
}

// use makes the environment's Python the one that registration finds.
func (v venv) use(t *testing.T) { t.Setenv("PATH", v.Path()) }

func run(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	require.NoError(t, err, "%s\n%s", strings.Join(argv, " "), out)
	return string(out)
}
