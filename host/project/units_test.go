package project_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "16GiB": 16 << 30, "16 GiB": 16 << 30, "16Gi": 16 << 30, "1.5GiB": 3 << 29, "500MB": 500e6, "0.5KiB": 512,
		"1TB": 1e12, "7PiB": 7 << 50, "9223372036854775807": 1<<63 - 1, "64B": 64,
	} {
		got, err := project.ParseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "GiB", "16g", "16gb", "-1", "0", "0GiB", "1.0001KiB", "9223372036854775808", "8EiB", "1e3",
		"0x10", "١GiB", "1 2", "inf", strings.Repeat("9", 1000)} {
		_, err := project.ParseSize(text)
		require.Error(t, err, text)
		assert.Less(t, len(err.Error()), 400)
	}
}

func TestParseCPU(t *testing.T) {
	for text, want := range map[string]int64{"4": 4000, "0.5": 500, "500m": 500, "1500m": 1500, "0.001": 1} {
		got, err := project.ParseCPU(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "0", "0.0001", "1.5m", "-1", "4 cores", "m", "1e3", "99999999999"} {
		_, err := project.ParseCPU(text)
		assert.Error(t, err, text)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "1h30m": 90 * time.Minute, " 2h ": 2 * time.Hour} {
		got, err := project.ParseDuration(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "0", "90", "0s", "-1h", "1d", "2 h", "999999999h", "1h-2h"} {
		_, err := project.ParseDuration(text)
		assert.Error(t, err, text)
	}
}

func TestGPUType(t *testing.T) {
	for text, want := range map[string]string{
		"t4": "t4", "T4": "t4", "NVIDIA_TESLA_T4": "t4", "nvidia-tesla-t4": "t4", "Tesla T4": "t4", "nvidia-l4": "l4", "A10G": "a10g",
		"NVIDIA-A100-SXM4-80GB": "a100-80gb", "NVIDIA_A100_80GB": "a100-80gb", "nvidia-tesla-a100": "a100-40gb",
		"NVIDIA_H100_80GB": "h100", "nvidia-h100-mega-80gb": "h100", "H200": "h200", "B200": "b200", "NVIDIA_TESLA_V100": "v100",
	} {
		got, known := project.GPUType(text)
		assert.True(t, known, text)
		assert.Equal(t, want, got, text)
	}
	got, known := project.GPUType("NVIDIA_X999")
	assert.False(t, known)
	assert.Equal(t, "x999", got)
	seen := map[string]bool{}
	for _, name := range project.GPUTypes() {
		assert.False(t, seen[name], name)
		seen[name] = true
		canonical, known := project.GPUType(name)
		assert.True(t, known)
		assert.Equal(t, name, canonical, "a canonical name is no alias of another one")
	}
}

func TestFlags(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range project.Flags() {
		for _, name := range append(f.Aliases, f.Name) {
			assert.False(t, seen[name], name)
			seen[name] = true
		}
		assert.NotEmpty(t, f.Usage, f.Name)
		// Each flag of one value accepts a text without a panic, whatever it is.
		for _, text := range []string{"", "=", "x", "x=y", ":", "\x00", "\xff"} {
			inline := project.NewInline(&diag.Sources{}, "/")
			inline.Add(f.Name, text)
			inline.Step()
		}
	}
}

func TestAttributeFlag(t *testing.T) {
	dir := files(t, map[string]string{"value": "from file\n", "list": "[\"a\",\n \"b\"]\n",
		"bytes": "\xff\xfe", "null": "a\x00b", "large": strings.Repeat("a", schema.MaxValue+1)})
	var sources diag.Sources
	o := project.FlagOptions{Sources: &sources, Dir: dir, Stdin: strings.NewReader("from stdin\n")}
	text := &schema.Attribute{Name: "x", Type: cty.String}
	lst := &schema.Attribute{Name: "l", Type: cty.List(cty.String)}
	maps := &schema.Attribute{Name: "m", Type: cty.Map(cty.String)}
	free := &schema.Attribute{Name: "f", Type: cty.DynamicPseudoType}
	number := &schema.Attribute{Name: "n", Type: cty.Number}
	secret := &schema.Attribute{Name: "s", Type: cty.String, Sensitive: true}
	for _, tc := range []struct {
		a          *schema.Attribute
		text       string
		value      cty.Value
		expression string
	}{
		{text, "plain ${x}", cty.StringVal("plain ${x}"), ""},
		{text, "@value", cty.StringVal("from file"), ""},
		{text, "-", cty.StringVal("from stdin"), ""},
		{text, "env:A", cty.NilVal, `env("A")`},
		{lst, "@list", cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}), ""},
		{lst, `["a"]`, cty.ListVal([]cty.Value{cty.StringVal("a")}), ""},
		{secret, "env:A", cty.NilVal, `env("A")`},
		{secret, "@value", cty.NilVal, `secret("file:` + dir + `/value")`},
		{secret, "cmd:pass show x", cty.NilVal, `secret("cmd:pass show x")`},
		{secret, "file:tok", cty.NilVal, `secret("file:` + dir + `/tok")`},
		{secret, "file:/tok", cty.NilVal, `secret("file:/tok")`},
		{secret, "keyring:a/b", cty.NilVal, `secret("keyring:a/b")`},
		{text, `"@value"`, cty.StringVal("@value"), ""},
		{text, `"-"`, cty.StringVal("-"), ""},
		{text, `"env:A"`, cty.StringVal("env:A"), ""},
		{text, `"\"a\" $${b}"`, cty.StringVal(`"a" ${b}`), ""},
		{text, `""`, cty.StringVal(""), ""},
		{text, `"a" or "b"`, cty.StringVal(`"a" or "b"`), ""},
		{free, `"5"`, cty.StringVal("5"), ""},
		{maps, `{a = "x", b = "x"}`, cty.MapVal(map[string]cty.Value{"a": cty.StringVal("x"), "b": cty.StringVal("x")}), ""},
	} {
		got, diags := project.AttributeFlag(tc.a, "--x", tc.text, o)
		require.False(t, diags.HasErrors(), "%s: %s", tc.text, diags)
		assert.Equal(t, tc.expression, got.Expression)
		if tc.expression == "" {
			assert.True(t, tc.value.RawEquals(got.Value), tc.text)
		}
	}
	w := &world{t: t, sources: &sources}
	for _, tc := range []struct {
		a    *schema.Attribute
		text string
	}{{text, "@absent"}, {text, "@"}, {lst, "a"}, {secret, "sesame"}, {secret, "-"}, {text, "\xff"}, {text, "@bytes"}, {text, "@null"},
		{text, "@large"}, {text, "env:"}, {text, "env:A B"}, {secret, "env:A=B"}, {secret, "keyring:a"}, {secret, "keyring:/b"}, {text, `"${a}"`},
		{number, "inf"}, {number, "-Inf"}, {maps, `{a = "x", "a" = "y"}`}, {maps, `{"a": "x", "a": "y"}`}, {free, `[{a = {b = 1, b = 2}}]`}} {
		_, diags := project.AttributeFlag(tc.a, "--x", tc.text, o)
		require.True(t, diags.HasErrors(), tc.text)
		assert.Len(t, diags, 1, tc.text)
		assert.NotContains(t, w.text(diags), "(sensitive)", tc.text)
		assert.NotContains(t, w.text(diags), "sesame")
	}
}
