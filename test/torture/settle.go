package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stephost/stephost/host/manifest"
)

// settleTests is the settling time of the tests: what nobody can find is waited
// for so long in every scenario, and a minute shows nothing more than some seconds
// do.
const settleTests = `${1}"3s"`

// settleShipped finds that of a shipped manifest.
func settleShipped() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(\s*settle\s*=\s*)"[1-9][0-9]*s"`)
}

// ShortSettle lets Main build the plugin of a package (see Main) with a manifest
// whose settling time is short, and with no other difference but what also says:
// pairs of a line of the manifest and what stands there instead. dir holds the
// changed manifest and must live as long as Main builds.
func ShortSettle(dir, pkg string, also ...string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	original := filepath.Join(root, pkg, "flavor.hcl")
	text, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	changed := settleShipped().ReplaceAll(text, []byte(settleTests))
	if bytes.Equal(changed, text) {
		return fmt.Errorf("%s has no settling time", original)
	}
	for i := 0; i < len(also); i += 2 {
		line := []byte("\n" + also[i] + "\n")
		if bytes.Count(changed, line) != 1 {
			return fmt.Errorf("%s has not one line %q", original, also[i])
		}
		changed = bytes.Replace(changed, line, []byte("\n"+also[i+1]+"\n"), 1)
	}
	replaced := filepath.Join(dir, "flavor.hcl")
	if err := os.WriteFile(replaced, manifest.Stamp(changed), 0o600); err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replaced}})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		return err
	}
	return os.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+path))
}
