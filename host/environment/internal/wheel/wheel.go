// Package wheel writes tiny Python packages by hand, for tests that need real
// ones without a network.
package wheel

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Write writes a wheel of a package with one module, whose content is
// "version = ...", and returns its path.
func Write(dir, name, version string, requires ...string) (string, error) {
	return WriteTagged(dir, name, version, "py3-none-any", requires...)
}

// WriteTagged writes one whose file name and WHEEL say that it is for the tag.
func WriteTagged(dir, name, version, tag string, requires ...string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name+"-"+version+"-"+tag+".whl")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	meta := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	for _, r := range requires {
		meta += "Requires-Dist: " + r + "\n"
	}
	info := name + "-" + version + ".dist-info/"
	z := zip.NewWriter(f)
	var record strings.Builder
	for _, file := range []struct{ name, text string }{
		{name + ".py", fmt.Sprintf("version = %q\n", version)},
		{info + "METADATA", meta},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + tag + "\n"},
	} {
		w, err := z.Create(file.name)
		if err != nil {
			return "", err
		}
		if _, err := w.Write([]byte(file.text)); err != nil {
			return "", err
		}
		sum := sha256.Sum256([]byte(file.text))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", file.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(file.text))
	}
	w, err := z.Create(info + "RECORD")
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&record, "%sRECORD,,\n", info)
	if _, err := w.Write([]byte(record.String())); err != nil {
		return "", err
	}
	return path, z.Close()
}
