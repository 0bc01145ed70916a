package registry

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	sorted := []string{"not a version", "0.0.1-0", "0.0.1-1", "0.0.1-a", "0.0.1-a.1", "0.0.1-a.b", "0.0.1-b", "0.0.1", "0.0.1+a", "0.0.2", "0.0.10", "0.1.0", "1.0.0"}
	shuffled := slices.Clone(sorted)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(shuffled, compareVersions)
	assert.Equal(t, sorted, shuffled)
	for _, bad := range []string{"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-A", "v1.2.3", "1.2.3/..", "1.2.3-a..b",
		"1.2.3+", "1.2.3-" + strings.Repeat("x", 64), "..", "99999999999999999999.0.0", "1.2.3 ", "-1.2.3"} {
		_, ok := parseVersion(bad)
		assert.False(t, ok, bad)
		assert.Error(t, checkVersion(bad))
	}
}

func TestPythonClass(t *testing.T) {
	for s, want := range map[string]bool{
		"a.b.Class": true, "pkg.Flavor": true, "zenml.flavors.aws": true, "_a._B": false, "_a.B": true,
		"flavor.hcl": false, "my.flavor.hcl": false, "plugin.py": false, "a": false, "": false, "a..B": false,
		"./a.b.C": false, "1.2.3": false, "a.b-c.D": false, "x.tar.gz": false,
	} {
		assert.Equal(t, want, pythonClass(s), s)
	}
}

func TestShebang(t *testing.T) {
	for line, want := range map[string][]string{
		"#!/usr/bin/python3":               {"/usr/bin/python3"},
		"#! /usr/bin/python3 -u":           {"/usr/bin/python3", "-u"},
		"#!/usr/bin/env python3":           {"python3"},
		"#!/usr/bin/env -S python3 -u":     {"python3", "-u"},
		"#!/usr/local/bin/env node":        {"node"},
		"#!":                               nil,
		"#!/usr/bin/env":                   nil,
		"#!/usr/bin/env -i python3":        nil,
		"#!/usr/bin/env PYTHONPATH=x node": nil,
	} {
		name, args, err := shebang(line)
		if want == nil {
			assert.Error(t, err, line)
			continue
		}
		require.NoError(t, err, line)
		assert.Equal(t, want, append([]string{name}, args...), line)
	}
}

func TestSplitInterpreter(t *testing.T) {
	for word, want := range map[string][2]string{
		"python3":             {"python3", ""},
		"python3>=3.10":       {"python3", ">=3.10"},
		"python3 >= 3.10, <4": {"python3", ">= 3.10, <4"},
		"/usr/bin/ruby==3.2":  {"/usr/bin/ruby", "==3.2"},
	} {
		name, constraint, err := splitInterpreter(word)
		require.NoError(t, err, word)
		assert.Equal(t, want, [2]string{name, constraint}, word)
	}
	for _, word := range []string{"", ">=3", "python3>=x", "python 3", "a;b"} {
		_, _, err := splitInterpreter(word)
		assert.Error(t, err, word)
	}
}

func TestInterpreterFits(t *testing.T) {
	for _, tc := range []struct {
		version, constraint string
		want                bool
	}{
		{"3.10.1", ">=3.10", true}, {"3.9.18", ">=3.10", false}, {"3.10", ">=3.10.0", true}, {"3.11.2", "==3.11", true},
		{"3.11.2", "!=3.11", false}, {"3.12.0", ">=3.9,<3.12", false}, {"", ">=3", false}, {"17.0.1", ">11", true}, {"1.0", "<=1", true}, {"", "", true},
	} {
		in := Interpreter{Version: tc.version, Constraint: tc.constraint}
		assert.Equal(t, tc.want, in.fits(), "%v", tc)
	}
}

func TestShellQuote(t *testing.T) {
	assert.Equal(t, "/a/b-c.d", shellQuote("/a/b-c.d"))
	assert.Equal(t, `'a b'`, shellQuote("a b"))
	assert.Equal(t, `'it'\''s'`, shellQuote("it's"))
	assert.Equal(t, `''`, shellQuote(""))
}

func TestArgv(t *testing.T) {
	a := Artifact{Path: "/s/{dir}/x", Kind: KindScript, Command: []string{"{interpreter:python3>=3}", "-c", "{file}", "--x={file}"}, Interpreter: &Interpreter{Path: "/p"}}
	assert.Equal(t, []string{"/p", "-c", "/s/{dir}/x", "--x=/s/{dir}/x"}, a.argv())
	a = Artifact{Path: "/s/t", Kind: KindDirectory, Command: []string{"{dir}/bin/run", "{dir}"}}
	assert.Equal(t, []string{"/s/t/bin/run", "/s/t"}, a.argv())
}

func TestCopyHashStops(t *testing.T) {
	_, _, err := copyHash(context.Background(), nil, strings.NewReader("12345"), 4)
	assert.ErrorContains(t, err, "larger than")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = copyHash(ctx, nil, strings.NewReader("12345"), 10)
	assert.ErrorIs(t, err, context.Canceled)
}

func FuzzReadHeader(f *testing.F) {
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	own, err := os.ReadFile(self)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own[:4096])
	f.Add([]byte("MZ"))
	f.Add([]byte("\xcf\xfa\xed\xfe"))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02"))
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, _ := readHeader(bytes.NewReader(data))
		_ = info.fits("x")
		_ = sdkOf(bytes.NewReader(data))
	})
}

func FuzzShebang(f *testing.F) {
	f.Add("#!/usr/bin/env -S python3 -u")
	f.Fuzz(func(_ *testing.T, line string) {
		_, _, _ = shebang(line)
		_, _, _ = splitInterpreter(line)
		_, _ = parseVersion(line)
		_ = pythonClass(line)
		_ = shellQuote(line)
	})
}
