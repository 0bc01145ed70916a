package requirements

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dist is an installed distribution, read from its .dist-info.
type dist struct {
	Package
	info     string // name of its .dist-info
	tags     []string
	record   [][]string
	requires []string          // normalised names, without those of extras
	extras   []string          // names of which an extra is required
	scripts  map[string]string // entry points: name -> "module:attribute"
	// direct: a line named its place. fromWheel: that place is a wheel.
	direct, fromWheel bool
	// leftover: what an installer leaves of a package that it has replaced.
	leftover bool
}

// readDists reads what is installed in a directory, sorted by name.
func readDists(site string) ([]*dist, error) {
	names, err := os.ReadDir(site)
	if err != nil {
		return nil, err
	}
	var list []*dist
	for _, n := range names {
		if n.IsDir() && strings.HasSuffix(n.Name(), ".dist-info") {
			d, err := readDist(site, n.Name())
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *dist) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func readDist(site, info string) (*dist, error) {
	d := &dist{info: info, scripts: map[string]string{}}
	read := func(name string) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join(site, info, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return data, err
	}
	metadata, err := read("METADATA")
	if err != nil {
		return nil, err
	}
	if metadata == nil {
		d.leftover = true
		return d, nil
	}
	for key, value := range headers(metadata) {
		switch key {
		case "Name":
			d.Name = Normal(value[0])
		case "Version":
			d.Version = value[0]
		case "Requires-Dist":
			for _, r := range value {
				if !strings.Contains(strings.ReplaceAll(r, " ", ""), "extra==") {
					d.requires = append(d.requires, bareName(r))
					if withExtra(r) {
						d.extras = append(d.extras, bareName(r))
					}
				}
			}
		}
	}
	wheel, err := read("WHEEL")
	if err != nil {
		return nil, err
	}
	d.tags = headers(wheel)["Tag"]
	d.Wheel = fileName(d.Name) + "-" + d.Version + "-" + joinedTags(d.tags)
	record, err := read("RECORD")
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(record))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if len(row) > 0 && row[0] != "" {
			d.record = append(d.record, append(row, "", "")[:3])
		}
	}
	entries, err := read("entry_points.txt")
	if err != nil {
		return nil, err
	}
	d.readEntries(string(entries))
	direct, err := read("direct_url.json")
	if err != nil {
		return nil, err
	}
	d.direct, d.fromWheel = direct != nil, bytes.Contains(direct, []byte(".whl"))
	return d, nil
}

// headers are the fields before the first empty line.
func headers(data []byte) map[string][]string {
	found := map[string][]string{}
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, 1<<20)
	for s.Scan() && strings.TrimSpace(s.Text()) != "" {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && !strings.HasPrefix(key, " ") {
			found[key] = append(found[key], strings.TrimSpace(value))
		}
	}
	return found
}

// readEntries reads the scripts of entry_points.txt.
func (d *dist) readEntries(text string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[] ")
			continue
		}
		name, entry, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || section != "console_scripts" && section != "gui_scripts" {
			continue
		}
		entry, _, _ = strings.Cut(entry, "[") // extras
		if name = strings.TrimSpace(name); name == filepath.Base(name) && filepath.IsLocal(name) && strings.Contains(entry, ":") {
			d.scripts[name] = strings.ReplaceAll(strings.TrimSpace(entry), " ", "")
		}
	}
}

// joinedTags folds tags into the form of a file name: cp311-cp311-a.b.
func joinedTags(tags []string) string {
	parts := [3][]string{}
	for _, tag := range tags {
		for i, p := range strings.SplitN(tag, "-", 3) {
			if !slices.Contains(parts[i], p) {
				parts[i] = append(parts[i], p)
			}
		}
	}
	return strings.Join(parts[0], ".") + "-" + strings.Join(parts[1], ".") + "-" + strings.Join(parts[2], ".")
}

// builtHere: its tag is that of a plain machine, as building gives it.
func (d *dist) builtHere() bool {
	return slices.ContainsFunc(d.tags, func(tag string) bool {
		parts := strings.SplitN(tag, "-", 3)
		return len(parts) == 3 && (strings.HasPrefix(parts[2], "linux_") || strings.HasPrefix(parts[2], "macosx") || strings.HasPrefix(parts[2], "win"))
	})
}

// remove takes the distribution out of the directory again.
func (d *dist) remove(site string) error {
	for _, row := range d.record {
		name := filepath.FromSlash(row[0])
		if base, ok := strings.CutPrefix(filepath.ToSlash(name), "../../bin/"); ok {
			name = filepath.Join("bin", base) // as pip records it
		}
		if !filepath.IsLocal(name) {
			continue
		}
		if err := os.Remove(filepath.Join(site, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			if os.Remove(filepath.Join(site, dir)) != nil {
				break // not empty
			}
		}
	}
	return os.RemoveAll(filepath.Join(site, d.info))
}

// withExtra: "uvicorn[standard]>=0.30".
func withExtra(requirement string) bool {
	name := leadingName().FindString(requirement)
	return name != "" && strings.HasPrefix(strings.TrimSpace(requirement[len(name):]), "[")
}
