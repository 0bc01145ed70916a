package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/plugins/modal/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
	"github.com/stephost/stephost/test/cloudfake/cli"
	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// programs are the fake and what stands for the shim of an image.
var programs cloudtest.Programs

// keeps is how long the record of a run is kept here: a moment, so that TestProjects
// can remove some. Nothing else depends on it: what is uncertain is never sent again,
// however old.
const keeps = time.Second

func TestMain(m *testing.M) {
	cli.Main(m, &programs, "modal", `    keeps       = "168h"`, fmt.Sprintf(`    keeps       = %q`, keeps))
}

// startFake starts a fake for one test and writes the .modal.toml that leads to
// it into home, as `modal token new` does.
func startFake(t *testing.T, home string) *cloudfake.Fake {
	f := programs.Start(t)
	config := fmt.Sprintf("[test]\nserver_url = %q\ntoken_id = %q\ntoken_secret = %q\nactive = true\n", f.Endpoints["grpc"], fake.TokenID, fake.TokenSecret)
	require.NoError(t, os.WriteFile(filepath.Join(home, ".modal.toml"), []byte(config), 0o600))
	return f
}
