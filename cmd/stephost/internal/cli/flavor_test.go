package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlavors(t *testing.T) {
	w := newWorld(t)
	golden(t, "flavors", w.transcript(
		[]string{"flavor", "list"},
		[]string{"flavor", "list", "-o", "json"},
		[]string{"flavor", "register", w.plug, "--dry-run"},
		[]string{"flavor", "register", w.plug},
		[]string{"flavor", "register", w.plug},
		[]string{"flavor", "list"},
		[]string{"flavor", "list", "-o", "json"},
		[]string{"flavor", "describe", "cloud"},
		[]string{"flavor", "describe", "cloud", "-o", "json"},
		[]string{"flavor", "verify"},
		[]string{"flavor", "schema", "cloud", "--format", "json-schema"},
		[]string{"flavor", "docs", "cloud"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=train"},
		[]string{"flavor", "delete", "cloud"},
		[]string{"operator", "rm", "gpu"},
		[]string{"step-operator", "flavor", "delete", "cloud@0.1.0"},
		[]string{"flavor", "ls"},
	))
	w.neverRan()
}

func TestFlavorChangedAfterPin(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	var pinned string
	require.NoError(t, filepath.Walk(filepath.Join(w.home, "artifacts"), func(p string, i os.FileInfo, err error) error {
		if err == nil && i.Mode().IsRegular() && strings.HasSuffix(p, "stephost-flavor-cloud") {
			pinned = p
		}
		return err
	}))
	require.NotEmpty(t, pinned)
	require.NoError(t, os.Chmod(pinned, 0o700))
	require.NoError(t, os.WriteFile(pinned, []byte("#!/bin/sh\necho other\n"), 0o700))
	r := w.run("flavor", "verify", "cloud")
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.out, "CHANGED")
	assert.Contains(t, r.err, "Next: ")
	w.neverRan()
}

func TestManifestAlone(t *testing.T) {
	w := newWorld(t)
	alone := filepath.Join(w.base, "alone.flavor.hcl")
	require.NoError(t, os.WriteFile(alone, []byte(w.manifest("0.1.0", "30")), 0o644))
	w.write("stephost.hcl", sampleProject)
	golden(t, "manifest_alone", w.transcript(
		[]string{"flavor", "register", alone},
		[]string{"flavor", "list"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=train"},
		[]string{"validate", "-C", w.dir},
	))
}

func TestDropIns(t *testing.T) {
	w := newWorld(t)
	plugins := filepath.Join(w.home, "plugins")
	require.NoError(t, os.MkdirAll(plugins, 0o700))
	for _, name := range []string{"", ".flavor.hcl"} {
		data, err := os.ReadFile(w.plug + name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(plugins, "stephost-flavor-cloud"+name), data, 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(plugins, "stephost-flavor-broken"), []byte("#!/bin/sh\n"), 0o755))
	golden(t, "drop_ins", w.transcript(
		[]string{"flavor", "list"},
		[]string{"flavor", "register", "--all"},
		[]string{"flavor", "list"},
	))
	w.neverRan()
}

func TestStamp(t *testing.T) {
	w := newWorld(t)
	path := w.write("flavor.hcl", w.manifest("0.1.0", "30"))
	r := w.run("flavor", "stamp", path)
	require.Zero(t, r.code, r.err)
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(first), "#!stephost flavor manifest v1 "))

	r = w.run("flavor", "stamp", path)
	require.Zero(t, r.code, r.err)
	assert.Empty(t, r.out, "a file that is right is not touched")

	changed := strings.Replace(string(first), "A test cloud", "A better cloud", 1)
	require.NoError(t, os.WriteFile(path, []byte(changed), 0o644))
	require.Zero(t, w.run("flavor", "stamp", path).code)
	renewed, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotEqual(t, strings.SplitN(changed, "\n", 2)[0], strings.SplitN(string(renewed), "\n", 2)[0])
	assert.Equal(t, strings.SplitN(changed, "\n", 2)[1], strings.SplitN(string(renewed), "\n", 2)[1])

	wrong := w.write("wrong.hcl", "flavor \"x\" {\n  nonsense = 1\n}\n")
	r = w.run("flavor", "stamp", path, wrong)
	assert.Equal(t, 125, r.code)
	data, err := os.ReadFile(wrong)
	require.NoError(t, err)
	assert.NotContains(t, string(data), "#!stephost", "nothing is written when something is wrong")
}

// The page of the shipped flavor is generated: it must say what the manifest
// says.
func TestGeneratedPages(t *testing.T) {
	w := newWorld(t)
	r := w.run("flavor", "docs", "../../../../plugins/local/flavor.hcl")
	require.Zero(t, r.code, r.err)
	page, err := os.ReadFile("../../../../docs/flavors/local.md")
	require.NoError(t, err)
	assert.Equal(t, r.out, string(page), "run make generate")
}

// A new version moves no operator; the list says who stays behind.
func TestOutdated(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	require.Zero(t, w.run("operator", "register", "gpu", "--flavor=cloud", "--role=train").code)
	w.write("stephost.hcl", "operator \"here\" {\n  flavor = \"cloud@0.1.0\"\n  config {\n    role = \"train\"\n  }\n}\n")
	for _, version := range []string{"0.2.0", "0.10.0"} {
		require.NoError(t, os.WriteFile(w.plug+".flavor.hcl", []byte(w.manifest(version, "30")), 0o644))
		if version == "0.2.0" {
			golden(t, "outdated_none", w.transcript([]string{"flavor", "list", "--outdated", "-C", w.dir}))
		}
		require.Zero(t, w.run("flavor", "register", w.plug).code)
	}
	golden(t, "outdated", w.transcript(
		[]string{"flavor", "list", "--outdated", "-C", w.dir},
		[]string{"flavor", "list", "--outdated", "-C", w.dir, "-o", "json"},
		[]string{"operator", "update", "gpu", "--flavor-version=0.10.0"},
		[]string{"flavor", "list", "--outdated"},
	))
	require.NoError(t, os.WriteFile(w.plug+".flavor.hcl", []byte(w.manifest("1.0.0-rc.1", "30")), 0o644))
	require.Zero(t, w.run("flavor", "register", w.plug).code)
	r := w.run("flavor", "list", "--outdated", "-o", "json")
	assert.Contains(t, r.out, `"newest":"0.10.0"`)
	assert.NotContains(t, r.out, "rc.1", "a pre-release makes no release old")
	w.neverRan()
}

// A drop-in with other bytes under a version that is registered is said.
func TestListSaysThatADropInChanged(t *testing.T) {
	w := newWorld(t)
	plug := filepath.Join(w.home, "plugins", "stephost-flavor-cloud")
	require.NoError(t, os.MkdirAll(filepath.Dir(plug), 0o700))
	for to, from := range map[string]string{plug: w.plug, plug + ".flavor.hcl": w.plug + ".flavor.hcl"} {
		require.NoError(t, os.Rename(from, to))
	}
	require.Zero(t, w.run("flavor", "register", "--all").code)
	assert.Empty(t, w.run("flavor", "list").err)
	require.NoError(t, os.WriteFile(plug, []byte("#!/bin/sh\n"), 0o755))
	assert.Contains(t, w.run("flavor", "list").err, "has other bytes than cloud@0.1.0, which is registered and used")
	assert.Contains(t, w.run("flavor", "list", "-o", "json").out, "has other bytes than cloud@0.1.0")
}

// The schema of a whole project knows the flavors that are here.
func TestProjectSchema(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	r := w.run("flavor", "schema")
	require.Zero(t, r.code, r.err)
	var s struct {
		Properties struct {
			Operator struct {
				AdditionalProperties struct {
					AllOf []struct {
						Then struct {
							Properties struct {
								Config struct{ Properties map[string]any }
							}
						}
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &s))
	require.Len(t, s.Properties.Operator.AdditionalProperties.AllOf, 1)
	assert.Contains(t, s.Properties.Operator.AdditionalProperties.AllOf[0].Then.Properties.Config.Properties, "role")
	r = w.run("flavor", "schema", "--format", "hcl")
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "needs a flavor or a file")
	w.neverRan()
}
