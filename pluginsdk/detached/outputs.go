package detached

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/stephost/stephost/pluginsdk"
)

// maxOutputs bounds the list: a step may leave a million files, and the whole
// directory is there anyway.
const maxOutputs = 1000

// Outputs lists the files that a step left in its STEPHOST_OUTPUT_DIR, root, by their
// path below it. Links are not followed. Where there are more than maxOutputs, or one
// whose name is no UTF-8, which no message can carry, the list is the directory
// itself.
func Outputs(root string) []pluginsdk.Output {
	found, _ := outputs(root)
	return found
}

// outputs is Outputs, and what a person should hear about them.
func outputs(root string) (found []pluginsdk.Output, warning string) {
	switch info, err := os.Lstat(root); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		return nil, fmt.Sprintf("the outputs cannot be listed: %v", err)
	case !info.IsDir():
		return nil, fmt.Sprintf("no outputs are listed: the step has put something else in the place of its STEPHOST_OUTPUT_DIR, %s", root)
	}
	odd := ""
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil
		}
		if !utf8.ValidString(name) {
			odd = name
			return fs.SkipAll
		}
		size := int64(-1)
		if info, err := d.Info(); err == nil {
			size = info.Size()
		}
		found = append(found, pluginsdk.Output{Name: filepath.ToSlash(name), Location: path, Bytes: size})
		if len(found) > maxOutputs {
			return fs.SkipAll
		}
		return nil
	})
	whole := []pluginsdk.Output{{Name: ".", Location: root, Bytes: -1}}
	switch {
	case odd != "":
		return whole, fmt.Sprintf("the outputs are listed as one directory, since a name among them is no UTF-8 text: %.200q", odd)
	case len(found) > maxOutputs:
		return whole, ""
	}
	return found, ""
}
