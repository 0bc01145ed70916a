package requirements

import (
	"archive/zip"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/stephost/stephost/host/problem"
)

// plainVersion is a version that an installer can compare. Distributions' own
// packages may carry others; those cannot be asked for and are left out.
var plainVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[A-Za-z0-9]+([._-][A-Za-z0-9]+)*)?$`)
})

// Normal is the normalised name of a distribution.
func Normal(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' }), "-")
}

// fileName is the name as file names carry it.
func fileName(name string) string { return strings.ReplaceAll(Normal(name), "-", "_") }

// pins are the base's packages as constraints, without those that may give way.
func (t *targetBuild) pins() []item {
	var list []item
	for _, name := range slices.Sorted(maps.Keys(t.request.Base.Installed)) {
		version := t.request.Base.Installed[name]
		if plainVersion().MatchString(version) && !t.yields[name] {
			list = append(list, item{text: name + "==" + version})
		}
	}
	return list
}

// stubbed says whether the installer gets a stand-in for a package of the base.
// One of which an extra is asked for is taken from the index, for the index alone
// says what the extra needs; it stays out of the tree all the same.
func (t *targetBuild) stubbed(name, version string) bool {
	return plainVersion().MatchString(version) && !t.real[name]
}

// extrasOfBase are packages of the base of which the lines, or what was
// installed for them, ask for an extra, and which are still stand-ins.
func (t *targetBuild) extrasOfBase(installed []*dist) []string {
	var asked, found []string
	for _, it := range t.items {
		if it.project == 0 && withExtra(it.text) {
			asked = append(asked, bareName(it.text))
		}
	}
	for _, d := range installed {
		asked = append(asked, d.extras...)
	}
	for _, name := range asked {
		if version, ours := t.request.Base.Installed[name]; ours && t.stubbed(name, version) && !t.unread[name] && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

// stubFiles are what stands for a package of the base while an installer works: its
// name and version. What it depends on is the base's affair.
func stubFiles(name, version, tag string) map[string]string {
	info := fileName(name) + "-" + version + ".dist-info/"
	files := map[string]string{
		info + "METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n",
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: stephost\nRoot-Is-Purelib: true\nTag: " + tag + "\n",
	}
	record := ""
	for _, f := range slices.Sorted(maps.Keys(files)) {
		record += f + ",,\n"
	}
	files[info+"RECORD"] = record + info + "RECORD,,\n"
	return files
}

// stubInstalled puts the base's packages where uv looks for what is installed.
func (t *targetBuild) stubInstalled(dir string) error {
	for name, version := range t.request.Base.Installed {
		if !t.stubbed(name, version) {
			continue
		}
		for file, text := range stubFiles(name, version, "py3-none-any") {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// stubWheels puts the base's packages where pip looks for wheels. The build tag
// makes each the first choice for its version.
func (t *targetBuild) stubWheels(dir string) error {
	tag := t.fit.stubTag()
	for name, version := range t.request.Base.Installed {
		if !t.stubbed(name, version) {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, fileName(name)+"-"+version+"-9999stephost-"+tag+".whl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		z := zip.NewWriter(f)
		for file, text := range stubFiles(name, version, tag) {
			w, err := z.Create(file)
			if err == nil {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				f.Close()
				return err
			}
		}
		err = z.Close()
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clash is a package that the base has in one version and the requirements want
// in another.
type clash struct{ name, base, wanted string }

var (
	uvMinus = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*- (\S+?)==(\S+)`) })
	uvPlus  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*\+ (\S+?)==(\S+)`) })
	pipPin  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\(constraint\) (\S+?)==(\S+)`) })
)

// clashesOf asks what would be installed if the base's packages were free to
// change. None, or the failure that comes then: the base is not the cause.
func (t *targetBuild) clashesOf(ctx context.Context, tail []string) ([]clash, error) {
	if t.tool == "pip" {
		return t.pipClashes(ctx, tail)
	}
	if err := t.freshSite(); err != nil {
		return nil, err
	}
	argv, err := t.uvInstall(nil, "", "--dry-run")
	if err != nil {
		return nil, err
	}
	out, err := t.call(ctx, t.toolEnviron(), argv)
	if err != nil { // the base is not the cause
		return nil, t.failed(ctx, out, err)
	}
	wanted := map[string]string{}
	var gone []clash
	for _, line := range out.Tail {
		if m := uvPlus().FindStringSubmatch(line); m != nil {
			wanted[Normal(m[1])] = m[2]
		} else if m := uvMinus().FindStringSubmatch(line); m != nil {
			gone = append(gone, clash{name: Normal(m[1]), base: m[2]})
		}
	}
	for i := range gone {
		gone[i].wanted = wanted[gone[i].name]
	}
	return gone, nil
}

// pipClashes reads them from pip's own words, and asks once more for the
// versions.
func (t *targetBuild) pipClashes(ctx context.Context, tail []string) ([]clash, error) {
	var found []clash
	free := map[string]bool{}
	for _, line := range tail {
		if m := pipPin().FindStringSubmatch(line); m != nil {
			name := Normal(m[1])
			if version, ours := t.request.Base.Installed[name]; ours && version == m[2] && !free[name] {
				free[name] = true
				found = append(found, clash{name: name, base: version})
			}
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	before := t.yields
	t.yields = maps.Clone(before)
	maps.Copy(t.yields, free)
	defer func() { t.yields = before }()
	packages, err := t.pipDryRun(ctx)
	if err != nil {
		return found, nil // what contradicts is known; the version stays open
	}
	for i := range found {
		found[i].wanted = packages[found[i].name]
	}
	return found, nil
}

// contradiction is the error about clashes.
func (t *targetBuild) contradiction(found []clash, tail []string) *problem.Error {
	var texts []string
	for _, c := range found {
		wanted := "another version"
		if c.wanted != "" {
			wanted = c.wanted
		}
		texts = append(texts, fmt.Sprintf("%s %s (the base has %s)", c.name, wanted, c.base))
	}
	e := &problem.Error{Phase: phase, Class: problem.Config, Err: &Error{Kind: BaseConflict, Package: found[0].name},
		Summary: "the requirements contradict the base image: they want " + strings.Join(texts, ", "),
		Next:    "change the requirement, choose another base image, or set override = true to put the wanted version over the base's"}
	if n := len(tail); n > 0 {
		e.Detail = problem.Bound("What "+t.tool+" says:\n  "+strings.Join(tail[max(0, n-outputLines):], "\n  "), problem.Limit/2)
	}
	return e
}
