package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
)

// Names of manifest files.
const (
	// FileName is the manifest of a directory.
	FileName = "flavor.hcl"
	// Suffix makes the manifest of the file beside it: <binary>.flavor.hcl.
	Suffix = ".flavor.hcl"
)

// Where a manifest was found.
const (
	Alone     = "alone"     // a manifest file was given, there is no implementation
	Beside    = "beside"    // beside the implementation only
	Inside    = "inside"    // inside the implementation only
	Both      = "both"      // inside and beside, identical
	Directory = "directory" // in the directory that is the implementation
)

// Found tells where a manifest was found.
type Found struct {
	// Where is one of the constants above.
	Where string
	// Artifact is the implementation's file or directory; "" for a manifest alone.
	Artifact string
	// File is the file that the manifest was read from.
	File string
}

// Read finds the manifest of what lies at path: a binary, a script, a directory
// or a manifest. It never runs anything. Manifest and Found are nil when there
// are errors.
//
// A file's manifest lies beside it (<file>.flavor.hcl, without ".exe"), inside
// it (see Scan), or in flavor.hcl of its directory when there is no other. What
// lies beside and inside must be identical.
func Read(ctx context.Context, src *diag.Sources, path string) (*Manifest, *Found, hcl.Diagnostics) {
	data, found, diags := Locate(ctx, path)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	m, diags := Parse(src, found.File, data)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	return m, found, diags
}

// Locate is Read without the parsing: it gives the manifest's text. Callers
// cache it by what identifies the file.
func Locate(ctx context.Context, path string) ([]byte, *Found, hcl.Diagnostics) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && classPath().MatchString(path):
		return fail("No such file: "+path, "This looks like the path of a Python class. A flavor is a file or a directory with a manifest; `stephost flavor init --language python` makes one.")
	case err != nil:
		return fail("Cannot read the flavor", text(err))
	case info.IsDir():
		return locateDirectory(path)
	case strings.HasSuffix(path, ".hcl"):
		data, err := readManifest(path)
		if err != nil {
			return fail("Cannot read the manifest", text(err))
		}
		return data, &Found{Where: Alone, File: path}, nil
	}
	return locateFile(ctx, path)
}

func locateDirectory(dir string) ([]byte, *Found, hcl.Diagnostics) {
	file := filepath.Join(dir, FileName)
	data, err := readManifest(file)
	if errors.Is(err, fs.ErrNotExist) {
		// One <name>.flavor.hcl serves as well, as long as there is no doubt.
		matches, globErr := filepath.Glob(filepath.Join(escapeGlob(dir), "*"+Suffix))
		switch {
		case globErr != nil || len(matches) == 0:
			return fail("No manifest in the directory "+dir, "Put a "+FileName+" into it, or name the flavor's file itself.")
		case len(matches) > 1:
			return fail("Several manifests in the directory "+dir, "It holds "+strings.Join(bases(matches), ", ")+". Name the one flavor's file that is meant.")
		}
		file = matches[0]
		data, err = readManifest(file)
	}
	if err != nil {
		return fail("Cannot read the manifest", text(err))
	}
	return data, &Found{Where: Directory, Artifact: dir, File: file}, nil
}

func locateFile(ctx context.Context, path string) ([]byte, *Found, hcl.Diagnostics) {
	inside, err := Scan(ctx, path)
	if err != nil && !errors.Is(err, ErrNoManifest) {
		return fail("Cannot find the flavor's manifest", text(err)+" "+scanHelp(path, err))
	}
	has := err == nil
	for _, beside := range besides(path) {
		data, err := readManifest(beside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fail("Cannot read the manifest", text(err))
		case !has:
			return data, &Found{Where: Beside, Artifact: path, File: beside}, nil
		}
		if _, body := split(data); bytes.Equal(body, inside) {
			return data, &Found{Where: Both, Artifact: path, File: beside}, nil
		}
		return conflict(path, beside)
	}
	neighbour := filepath.Join(filepath.Dir(path), FileName)
	data, err := readManifest(neighbour)
	if !has {
		switch {
		case err == nil:
			return data, &Found{Where: Beside, Artifact: path, File: neighbour}, nil
		case !errors.Is(err, fs.ErrNotExist):
			return fail("Cannot read the manifest", text(err))
		}
		return fail("No manifest for "+path, scanHelp(path, ErrNoManifest))
	}
	if err == nil {
		_, body := split(data)
		switch {
		case bytes.Equal(body, inside):
			return data, &Found{Where: Both, Artifact: path, File: neighbour}, nil
		case sameFlavor(body, inside):
			// A directory of many flavors may hold another one's flavor.hcl; of
			// the same flavor it means that the binary is older.
			return conflict(path, neighbour)
		}
	}
	return inside, &Found{Where: Inside, Artifact: path, File: path}, nil
}

func conflict(path, beside string) ([]byte, *Found, hcl.Diagnostics) {
	return fail("Two manifests differ", fmt.Sprintf("The one inside %s and %s are not the same. Build the flavor again (its manifest is embedded at build time), or remove one of them.", path, beside))
}

// sameFlavor tells whether two manifests name the same flavor.
func sameFlavor(a, b []byte) bool {
	na, nb := nameOf(a), nameOf(b)
	return na == "" || nb == "" || na == nb
}

// nameOf is a cheap look at a manifest's flavor block.
func nameOf(data []byte) string {
	m := flavorLine().FindSubmatch(data)
	if m == nil {
		return ""
	}
	return string(m[1])
}

var flavorLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^\s*flavor\s+"?([A-Za-z0-9_-]+)"?\s*\{`)
})

var classPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*\.[A-Z][A-Za-z0-9]*$`)
})

// besides are the names of a file's own manifest.
func besides(path string) []string {
	out := []string{path + Suffix}
	if base, isExe := strings.CutSuffix(path, ".exe"); isExe {
		out = append(out, base+Suffix)
	}
	return out
}

// scanHelp says what to do about a file without a manifest.
func scanHelp(path string, err error) string {
	beside := "Put " + filepath.Base(path) + Suffix + " beside it."
	switch {
	case errors.Is(err, ErrConflict):
		return "A flavor has one manifest: build it again from a clean tree."
	case errors.Is(err, ErrTooLarge):
		return beside
	case !errors.Is(err, ErrNoManifest):
		return ""
	}
	start := make([]byte, 4<<10)
	if f, _, err := open(path); err == nil {
		n, _ := io.ReadFull(f, start)
		start = start[:n]
		_ = f.Close()
	}
	switch {
	case bytes.Contains(start, []byte("UPX!")):
		return "The file is compressed (UPX), so the manifest inside cannot be seen. " + beside
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), bytes.HasPrefix(start, []byte("#!")) && bytes.Contains(start, []byte("PK\x03\x04")):
		return "The file is a zip archive, so the manifest inside cannot be seen. " + beside
	case bytes.Contains(start, []byte(strings.TrimSpace(marker()))):
		return "It holds a manifest's header line, but its length or hash do not fit what follows: the manifest was changed after it was stamped. Run `stephost flavor stamp` on it and build again."
	}
	return beside + " Or embed the manifest: `stephost flavor stamp` writes the header line by which it is found."
}

// readManifest reads a manifest's file within its limit.
func readManifest(path string) ([]byte, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	const most = MaxManifest + maxHeader
	if size > most {
		return nil, fmt.Errorf("%s has %d bytes; a manifest has at most %d", path, size, MaxManifest)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, MaxManifest)
	}
	return data, err
}

func fail(summary, detail string) ([]byte, *Found, hcl.Diagnostics) {
	return nil, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: strings.TrimSpace(detail)}}
}

func text(err error) string {
	s := err.Error()
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func bases(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = filepath.Base(p)
	}
	slices.Sort(out)
	return out
}

// escapeGlob keeps brackets in a directory's name from being a pattern.
func escapeGlob(dir string) string {
	if filepath.Separator == '\\' {
		return dir // Windows has no escape; its names rarely hold brackets
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}
