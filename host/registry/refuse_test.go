package registry_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/registry"
)

func fixedTime() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// patched is the tool with another machine in its ELF header.
func patched(t *testing.T, offset int, value uint16) string {
	data := bytes.Clone(toolBytes(t))
	binary.LittleEndian.PutUint16(data[offset:], value)
	return string(data)
}

// machO is a header of a 64-bit ARM program without load commands.
func machO() string {
	var b bytes.Buffer
	for _, v := range []uint32{0xfeedfacf, 0x0100000c, 0, 2, 0, 0, 0, 0} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	return b.String()
}

// peFile is a DOS header that leads to a COFF header without sections.
func peFile(machine, characteristics uint16) string {
	b := make([]byte, 512)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], 0x80)
	copy(b[0x80:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[0x84:], machine)
	binary.LittleEndian.PutUint16(b[0x96:], characteristics)
	return string(b)
}

func TestRefusals(t *testing.T) {
	here := runtime.GOOS + "/" + runtime.GOARCH
	const hint = "name the plugin's file, its directory, or its flavor.hcl"
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string) // path is free; its manifest lies beside it
		want string                          // {} is the path
		next string
	}{
		{"no such file", func(*testing.T, string) {}, "there is no file {}: file does not exist", "did you mean {}.flavor.hcl?"},
		{"group may write", func(t *testing.T, p string) { write(t, p, string(toolBytes(t)), 0o775) },
			"{} can be changed by others (mode -rwxrwxr-x)", "run: chmod go-w {}"},
		{"world may write", func(t *testing.T, p string) { write(t, p, "#!/bin/sh\n", 0o757) },
			"{} can be changed by others (mode -rwxr-xrwx)", "run: chmod go-w {}"},
		{"manifest that others may write", func(t *testing.T, p string) {
			write(t, p, string(toolBytes(t)), 0o755)
			require.NoError(t, os.Chmod(p+".flavor.hcl", 0o666))
		}, "{}.flavor.hcl can be changed by others (mode -rw-rw-rw-)", "run: chmod go-w {}.flavor.hcl"},
		{"directory where everybody may replace it", func(t *testing.T, p string) {
			write(t, p, string(toolBytes(t)), 0o755)
			require.NoError(t, os.Chmod(filepath.Dir(p), 0o777))
		}, "everybody may replace the files in ", "run: chmod o-w "},
		{"other architecture", func(t *testing.T, p string) { write(t, p, patched(t, 18, 0xf3), 0o755) },
			"{} was built for linux/riscv64; this machine is " + here, "build it with GOOS=linux"},
		{"macOS", func(t *testing.T, p string) { write(t, p, machO(), 0o755) },
			"{} was built for darwin/arm64; this machine is " + here, "or register its manifest alone"},
		{"Windows", func(t *testing.T, p string) { write(t, p, peFile(0x8664, 0), 0o755) },
			"{} was built for windows/amd64; this machine is " + here, ""},
		{"DLL", func(t *testing.T, p string) { write(t, p, peFile(0x8664, 0x2000), 0o755) }, "{} is a DLL, not a program", hint},
		{"object file", func(t *testing.T, p string) { write(t, p, patched(t, 16, 1), 0o644) }, "{} is an object file, not a program", hint},
		{"damaged program", func(t *testing.T, p string) { write(t, p, "\x7fELF\x02\x01\x01garbage", 0o755) },
			"{} looks like a program (elf) but is damaged", "build or download it again"},
		{"Java class", func(t *testing.T, p string) { write(t, p, "\xca\xfe\xba\xbe\x00\x00\x00\x37more", 0o644) }, "{} is a Java class file", hint},
		{"wheel", func(t *testing.T, p string) { write(t, p, "PK\x03\x04...", 0o644) }, "{} is an archive (zip, wheel or jar)", "unpack it"},
		{"gzip", func(t *testing.T, p string) { write(t, p, "\x1f\x8b\x08", 0o644) }, "{} is a compressed file", "unpack it"},
		{"empty", func(t *testing.T, p string) { write(t, p, "", 0o755) }, "{} is an empty file", hint},
		{"text", func(t *testing.T, p string) { write(t, p, "hello\n", 0o644) },
			"{} is neither a program nor a script that says how it is run", "begin it with #!/usr/bin/env python3"},
		{"interpreter missing", func(t *testing.T, p string) { write(t, p, "#!/usr/bin/env cobol99\n", 0o755) },
			"the flavor needs the interpreter cobol99", "install cobol99, or add its directory to PATH"},
		{"options of env", func(t *testing.T, p string) { write(t, p, "#!/usr/bin/env -i python3\n", 0o755) },
			`the first line "#!/usr/bin/env -i python3" has options of env that are not supported`, "write #!/usr/bin/env python3"},
		{"pipe", func(t *testing.T, p string) { mkfifo(t, p) }, "{} is a named pipe; a flavor is a file or a directory", hint},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			path := filepath.Join(s.dir, "plug")
			write(t, path+".flavor.hcl", manifestText("plug", "0.1.0", ""), 0o644)
			tc.make(t, path)
			_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
			p := problemOf(t, err)
			assert.True(t, strings.HasPrefix(p.Error(), strings.ReplaceAll(tc.want, "{}", path)), p.Error())
			assert.Contains(t, p.Next, strings.ReplaceAll(tc.next, "{}", path))
			list, err := s.reg.Flavors(ctx)
			require.NoError(t, err)
			assert.Empty(t, list)
			entries, _ := os.ReadDir(s.home.Artifacts())
			assert.Empty(t, entries, "nothing is left in the store")
		})
	}
}

func TestRefusedPaths(t *testing.T) {
	s := setup(t)
	for _, class := range []string{"zenml.integrations.aws.Flavor", "a.b.Class", "my_pkg.MyFlavor", "a.b.c"} {
		_, err := s.reg.Register(ctx, class, registry.RegisterOptions{})
		p := problemOf(t, err)
		assert.Equal(t, class+" is a Python class path; a flavor is a file", p.Error())
		assert.Equal(t, "see: stephost flavor init --language python", p.Next)
	}
	for _, path := range []string{"plugin.py", "my.flavor.hcl", "./a.b.Class", "no/such/dir", "nosuch"} {
		_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
		assert.ErrorContains(t, err, "there is no file "+path)
	}
	write(t, filepath.Join(s.dir, "stephost-flavor-local"), "x", 0o755)
	_, err := s.reg.Register(ctx, filepath.Join(s.dir, "stephost-flavour-local"), registry.RegisterOptions{})
	assert.Equal(t, "did you mean "+filepath.Join(s.dir, "stephost-flavor-local")+"?", problemOf(t, err).Next)
	_, err = s.reg.Register(ctx, os.DevNull, registry.RegisterOptions{})
	assert.ErrorContains(t, err, "is a device")
}

func TestRefusedManifests(t *testing.T) {
	for _, tc := range []struct{ name, version, extra, want string }{
		{"../../evil", "0.1.0", "", ""},
		{"alpha", "../0.1.0", "", ""},
		{"Alpha", "0.1.0", "", ""},
		{"alpha", "1", "", ""},
		{"alpha", "0.1.0", "sdk = \"0.0.1\"", "needs 0.1.0 or newer"},
		{"alpha", "0.1.0", "nonsense = 1", "nonsense"},
	} {
		t.Run(tc.name+"@"+tc.version+tc.extra, func(t *testing.T) {
			s := setup(t)
			path := write(t, filepath.Join(s.dir, "plug"), string(toolBytes(t)), 0o755)
			write(t, path+".flavor.hcl", manifestText(tc.name, tc.version, tc.extra), 0o644)
			_, err := s.reg.Register(ctx, path, registry.RegisterOptions{})
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.want)
			list, err := s.reg.Flavors(ctx)
			require.NoError(t, err)
			assert.Empty(t, list)
		})
	}
}

func TestRefusedProtocol(t *testing.T) {
	s := setup(t)
	path := plugin(t, s.dir, "alpha", "0.1.0", "")
	newer := registry.New(s.home, registry.Options{Protocols: []int{2}})
	_, err := newer.Register(ctx, path, registry.RegisterOptions{})
	p := problemOf(t, err)
	assert.Equal(t, "flavor alpha@0.1.0: it speaks protocol 1; this stephost speaks 2", p.Error())
	assert.Equal(t, "update the flavor", p.Next)
}

func TestRefusedDirectories(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, dir string)
		want string
		next string
	}{
		{"absolute link", func(t *testing.T, dir string) { link(t, filepath.Join(dir, "main.py"), filepath.Join(dir, "l")) },
			"{}/l is a link to {}/main.py, an absolute path", "replace the link by a copy"},
		{"link that leaves", func(t *testing.T, dir string) {
			write(t, filepath.Join(filepath.Dir(dir), "secret"), "x", 0o644)
			link(t, "../secret", filepath.Join(dir, "l"))
		},
			"{}/l is a link to ../secret, which leaves the directory", "replace the link by a copy"},
		{"link that leaves on its way", func(t *testing.T, dir string) {
			write(t, filepath.Join(filepath.Dir(dir), "x"), "", 0o644)
			link(t, "..", filepath.Join(dir, "up"))
			link(t, "up/x", filepath.Join(dir, "a"))
		}, "which leaves the directory", ""},
		{"dangling link", func(t *testing.T, dir string) { link(t, "nothing", filepath.Join(dir, "l")) }, "which does not exist", ""},
		{"virtual environment", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "pyvenv.cfg"), "home = /usr/bin\n", 0o644)
			link(t, "/usr/bin/python3", filepath.Join(dir, "bin-python"))
		}, "an absolute path", "register the source with exec"},
		{"pipe", func(t *testing.T, dir string) { mkfifo(t, filepath.Join(dir, "p")) }, "{}/p is a named pipe", "remove it"},
		{"file that others may write", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "sub", "x"), "", 0o666) },
			"{}/sub/x can be changed by others", "chmod go-w"},
		{"too many files", func(t *testing.T, dir string) {
			for i := range 20_001 {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), nil, 0o600))
			}
		}, "{} is too large for a flavor: more than 20000 files or 2 GiB", "without data"},
		{"too large", func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, "big"), os.O_CREATE|os.O_WRONLY, 0o600)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(2<<30+1))
			require.NoError(t, f.Close())
		}, "{} is too large for a flavor", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			dir := filepath.Join(s.dir, "plug")
			write(t, filepath.Join(dir, "flavor.hcl"), manifestText("plug", "0.1.0", `
  exec {
    command = ["{interpreter:python3}", "{dir}/main.py"]
  }`), 0o644)
			write(t, filepath.Join(dir, "main.py"), "", 0o644)
			tc.make(t, dir)
			_, err := s.reg.Register(ctx, dir, registry.RegisterOptions{})
			p := problemOf(t, err)
			assert.Contains(t, p.Error(), strings.ReplaceAll(tc.want, "{}", dir))
			assert.Contains(t, p.Next, tc.next)
		})
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	require.NoError(t, os.Symlink(target, path))
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, exec.Command("mkfifo", "-m", "600", path).Run())
}

// A Go program that was linked with an old SDK says so in its build
// information: built here against a module proxy made of files.
func TestOldSDKFromBuildInfo(t *testing.T) {
	s := setup(t)
	const module = "github.com/stephost/stephost"
	proxy := t.TempDir()
	at := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	mod := "module " + module + "\n\ngo 1.24\n"
	write(t, filepath.Join(at, "v0.0.9.info"), `{"Version":"v0.0.9"}`, 0o644)
	write(t, filepath.Join(at, "v0.0.9.mod"), mod, 0o644)
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	for name, text := range map[string]string{"go.mod": mod, "pluginsdk/sdk.go": "package pluginsdk\n\nfunc Main() {}\n"} {
		f, err := w.Create(module + "@v0.0.9/" + name)
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	write(t, filepath.Join(at, "v0.0.9.zip"), z.String(), 0o644)

	src := t.TempDir()
	write(t, filepath.Join(src, "go.mod"), "module example.com/p\n\ngo 1.24\n\nrequire "+module+" v0.0.9\n", 0o644)
	write(t, filepath.Join(src, "main.go"), "package main\n\nimport \""+module+"/pluginsdk\"\n\nfunc main() { pluginsdk.Main() }\n", 0o644)
	path := filepath.Join(s.dir, "old")
	cmd := exec.Command("go", "build", "-modcacherw", "-mod=mod", "-o", path)
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "GOPROXY=file://"+proxy, "GONOSUMDB=*", "GOFLAGS=", "GOWORK=off", "GOSUMDB=off",
		"GOMODCACHE="+filepath.Join(t.TempDir(), "mod"), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.Chmod(path, 0o755))
	write(t, path+".flavor.hcl", manifestText("old", "0.1.0", ""), 0o644)

	_, err = s.reg.Register(ctx, path, registry.RegisterOptions{})
	p := problemOf(t, err)
	assert.Equal(t, path+" was built with stephost SDK 0.0.9; this stephost needs 0.1.0 or newer", p.Error())
	assert.Contains(t, p.Next, "go get "+module+"@latest")
}
