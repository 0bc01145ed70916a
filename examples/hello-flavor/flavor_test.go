package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// The suite runs every check that the capabilities of this flavor call for.
func TestConformance(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "stephost-flavor-hello")
	build := exec.Command("go", "build", "-o", plugin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	plugintest.Run(t, plugintest.Config{Plugin: plugin, Kind: plugintest.Launch, Tier: plugintest.Full, Witness: t.TempDir()})
}

// Besides package clause and imports; a directive is not counted either.
func TestFifteenLines(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "\n)\n")
	lines := 0
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	if lines > 15 {
		t.Errorf("%d lines", lines)
	}
}
