package requirements

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// targetRecord is what is kept of a resolved request.
type targetRecord struct {
	Version   int       `json:"version"`
	Request   string    `json:"request"`
	Key       string    `json:"key"`
	Tool      string    `json:"tool"`
	Packages  []Package `json:"packages"`
	Satisfied []Package `json:"satisfied,omitempty"`
	Warnings  []string  `json:"warnings,omitempty"`
	Built     time.Time `json:"built"`
}

// requestDigest covers what decides which packages are chosen, as far as it can
// be known without asking an index: the lines and the contents of every file
// and project they name, the base, the index settings. It covers no credentials
// and no path. Floating versions are therefore chosen again when one of those
// changes or the cache is gone, and never by time alone.
func (t *targetBuild) requestDigest() string {
	h := sha256.New()
	io.WriteString(h, "stephost/target/1\n")
	section := func(name string, lines []string) {
		fmt.Fprintf(h, "%s %d\n", name, len(lines))
		for _, l := range lines {
			fmt.Fprintf(h, "%d %s\n", len(l), l)
		}
	}
	b := t.request.Base
	section("base", []string{b.Platform, b.Python, b.Interpreter, b.Libc, strconv.FormatBool(t.request.Override)})
	var installed []string
	for _, name := range slices.Sorted(maps.Keys(b.Installed)) {
		installed = append(installed, name+"=="+b.Installed[name])
	}
	section("installed", installed)
	section("install", keys(t.items))
	section("constrain", keys(t.constraints))
	section("index", append(t.environ.indexSettings(), t.environ.indexFiles()...))
	section("tool", []string{t.tool})
	return hex.EncodeToString(h.Sum(nil))
}

// indexFiles are the contents of the configuration files that name an index.
func (e environ) indexFiles() []string {
	files := e.pipConfigs()
	if f := e["UV_CONFIG_FILE"]; f != "" {
		files = append(files, f)
	} else if config := e["XDG_CONFIG_HOME"]; config != "" {
		files = append(files, filepath.Join(config, "uv", "uv.toml"), "/etc/uv/uv.toml")
	} else if home := e["HOME"]; home != "" {
		files = append(files, filepath.Join(home, ".config", "uv", "uv.toml"), "/etc/uv/uv.toml")
	}
	var list []string
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && (namesIndex(string(data)) || filepath.Ext(f) == ".toml") {
			sum := sha256.Sum256([]byte(redact(string(data))))
			list = append(list, filepath.Base(f)+" sha256:"+hex.EncodeToString(sum[:]))
		}
	}
	return list
}

func (t *targetBuild) recordFile() string { return filepath.Join(t.dir, "requests", t.digest+".json") }

func (t *targetBuild) tree(key string) string {
	_, hex, _ := strings.Cut(key, ":")
	return filepath.Join(t.dir, "trees", hex)
}

// cached is what an earlier call made, if it is whole: the record is written
// after its tree, and a tree appears whole.
func (t *targetBuild) cached() (*Target, bool) {
	var r targetRecord
	data, err := os.ReadFile(t.recordFile())
	if err != nil || json.Unmarshal(data, &r) != nil || r.Request != t.digest || r.Version != 1 {
		return nil, false
	}
	out := &Target{Key: r.Key, Packages: r.Packages, Satisfied: r.Satisfied, Warnings: r.Warnings}
	if len(r.Packages) > 0 {
		if out.Tree = t.tree(r.Key); !exists(out.Tree) {
			return nil, false
		}
		now := time.Now() // for whoever removes old ones
		_ = os.Chtimes(out.Tree, now, now)
	}
	_ = os.Chtimes(t.recordFile(), time.Now(), time.Now())
	return out, true
}

// keep writes the record, last.
func (t *targetBuild) keep(out *Target) error {
	data, err := json.MarshalIndent(targetRecord{Version: 1, Request: t.digest, Key: out.Key, Tool: t.tool,
		Packages: out.Packages, Satisfied: out.Satisfied, Warnings: out.Warnings, Built: time.Now().UTC()}, "", "  ")
	if err != nil {
		return err
	}
	return writeSynced(t.recordFile(), data)
}
