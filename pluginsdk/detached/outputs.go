package detached

import (
	"io/fs"
	"path/filepath"

	"github.com/stephost/stephost/pluginsdk"
)

// maxOutputs bounds the list: a step may leave a million files, and the whole
// directory is there anyway.
const maxOutputs = 1000

// Outputs lists the files that a step left in its STEPHOST_OUTPUT_DIR, root, by their
// path below it. Links are not followed. Beyond maxOutputs the list is the
// directory itself.
func Outputs(root string) []pluginsdk.Output {
	var found []pluginsdk.Output
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil
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
	if len(found) > maxOutputs {
		return []pluginsdk.Output{{Name: ".", Location: root, Bytes: -1}}
	}
	return found
}
