package requirements

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/environment/source"
)

const (
	// fileLimit bounds a requirements file; lock files with hashes reach 1 MiB.
	fileLimit = 16 << 20
	// includeLimit bounds how many files one set reads.
	includeLimit = 100
)

// item is one line of a set.
type item struct {
	// text is what the installer gets. For a project it is empty until the copy
	// is made; extras and marker then follow the path.
	text string
	// key is its normal form: no credentials, no path, contents by hash.
	key string
	// project is 1 + its index among the projects, 0 for everything else.
	project int
	suffix  string
}

// parser reads requirements. It understands what decides where files are, and
// hands everything else on to the installer as it stands.
type parser struct {
	ctx         context.Context
	environ     environ
	neverCopy   []string
	seen        map[string]bool
	items       []item
	constraints []item
	projects    []project
	store       *source.Store
	// telling are files that hold credentials in an address.
	telling []string
}

// project is a directory that is installed from a copy.
type project struct{ path, digest string }

// read reads a list of lines and a file, if there is one. Relative paths are
// taken from dir.
func (p *parser) read(dir string, list []string, file string) error {
	p.seen = map[string]bool{}
	if p.store == nil {
		p.store = source.NewStore("")
	}
	for _, line := range list {
		if strings.ContainsAny(line, "\n\r\x00") {
			return invalid(fmt.Sprintf("the requirement %q has a line break in it", redact(line)), nil)
		}
		if err := p.line(dir, "requirements", line, false); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	return p.file(absolute(dir, file), false)
}

// file reads a file of lines, a pyproject.toml or a lock file.
func (p *parser) file(name string, constraint bool) error {
	if err := refusedFile(name); err != nil {
		return err
	}
	mark := fmt.Sprint(constraint, name)
	if p.seen[mark] {
		return nil // a circle of "-r": every line of it is there already
	}
	p.seen[mark] = true
	if len(p.seen) > includeLimit {
		return invalid(fmt.Sprintf("requirements include more than %d files", includeLimit), nil)
	}
	data, err := readBounded(name)
	if err != nil {
		return invalid("cannot read the requirements file "+name, err)
	}
	dir := filepath.Dir(name)
	var lines []string
	switch base := filepath.Base(name); {
	case base == "pyproject.toml":
		lines, err = projectDependencies(name)
	case isPylock(base):
		lines, err = pylockLines(name)
	case base == "uv.lock":
		lines, err = uvLockLines(p.ctx, p.environ, name)
	default:
		lines, err = textLines(name, data)
	}
	if err != nil {
		return err
	}
	for _, l := range lines {
		if redact(l) != l && userinfoSecret(l) && !slices.Contains(p.telling, name) {
			p.telling = append(p.telling, name)
		}
		if err := p.line(dir, name, l, constraint); err != nil {
			return err
		}
	}
	return nil
}

// textLines are the lines of a requirements.txt.
func textLines(name string, data []byte) ([]string, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, invalid(name+" is not a text file in UTF-8", nil)
	}
	return logicalLines(string(data)), nil
}

// refusedFile names the way for lock files that are not read here.
func refusedFile(name string) error {
	how := map[string]string{
		"poetry.lock":  "poetry export > requirements.txt",
		"pdm.lock":     "pdm export > requirements.txt",
		"Pipfile":      "pipenv requirements > requirements.txt",
		"Pipfile.lock": "pipenv requirements > requirements.txt",
	}
	base := filepath.Base(name)
	if cmd, ok := how[base]; ok {
		e := invalid(base+" is not read", nil)
		e.Next = "write a requirements file from it: " + cmd
		return e
	}
	if ext := filepath.Ext(base); (ext == ".toml" && base != "pyproject.toml" && !isPylock(base)) || ext == ".yml" || ext == ".yaml" {
		e := invalid(base+" is not a requirements file", nil)
		e.Next = "name a requirements.txt, pyproject.toml, uv.lock or pylock.toml"
		return e
	}
	return nil
}

// logicalLines joins lines that end with a backslash, as pip does: a comment
// line ends a joined one.
func logicalLines(text string) []string {
	var out []string
	var part string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if comment := strings.HasPrefix(strings.TrimSpace(line), "#"); !comment && strings.HasSuffix(line, `\`) {
			part += strings.TrimSuffix(line, `\`) + " "
			continue
		} else if comment {
			line = ""
		}
		out = append(out, part+line)
		part = ""
	}
	return append(out, part)
}

// line reads one logical line of the file (or list) origin, which lies in dir.
func (p *parser) line(dir, origin, text string, constraint bool) error {
	text = strings.TrimSpace(withoutComment(text))
	if text == "" {
		return nil
	}
	if !strings.HasPrefix(text, "-") {
		return p.requirement(dir, origin, text, constraint)
	}
	option, value := splitOption(text)
	switch option {
	case "-r", "--requirement", "-c", "--constraint":
		if isURL(value) {
			break // the installer fetches it
		}
		return p.file(absolute(dir, value), constraint || strings.HasPrefix(option, "-c") || option == "--constraint")
	case "-e", "--editable":
		return p.requirement(dir, origin, value, constraint)
	case "-f", "--find-links":
		if isURL(value) {
			break
		}
		return p.findLinks(absolute(dir, value), constraint)
	}
	p.add(item{text: text, key: normal(text)}, constraint)
	return nil
}

func (p *parser) add(it item, constraint bool) {
	if constraint {
		p.constraints = append(p.constraints, it)
	} else {
		p.items = append(p.items, it)
	}
}

// requirement reads a line that names a package.
func (p *parser) requirement(dir, origin, text string, constraint bool) error {
	path, suffix, ok := localPath(text)
	if !ok {
		p.add(item{text: text, key: normal(text)}, constraint)
		return nil
	}
	path = absolute(dir, path)
	fi, err := os.Stat(path)
	if err != nil {
		return invalid(fmt.Sprintf("%q in %s: no such file or directory", redact(text), origin), err)
	}
	if !fi.IsDir() {
		sum, err := fileHash(path)
		if err != nil {
			return invalid("cannot read "+path, err)
		}
		p.add(item{text: path + suffix, key: filepath.Base(path) + normal(suffix) + " sha256:" + sum}, constraint)
		return nil
	}
	if !exists(filepath.Join(path, "pyproject.toml")) && !exists(filepath.Join(path, "setup.py")) {
		e := invalid(fmt.Sprintf("%q in %s: no Python project in %s", redact(text), origin, path), nil)
		e.Next = "name a directory that holds a pyproject.toml or a setup.py"
		return e
	}
	d, err := p.store.Digest(p.ctx, []source.Root{{Path: path}}, source.Options{NeverCopy: p.neverCopy})
	if err != nil {
		if p.ctx.Err() != nil {
			return err
		}
		return invalid("cannot read the project "+path, err)
	}
	p.projects = append(p.projects, project{path: path, digest: d})
	p.add(item{key: "project " + d + normal(suffix), project: len(p.projects), suffix: suffix}, constraint)
	return nil
}

// findLinks names a directory of packages. Its content is taken by name, size
// and time: packages are big, and their names carry their versions.
func (p *parser) findLinks(path string, constraint bool) error {
	names, err := os.ReadDir(path)
	if err != nil {
		if fi, serr := os.Stat(path); serr != nil || fi.IsDir() {
			return invalid("cannot read the directory of --find-links", err)
		}
	}
	h := sha256.New()
	for _, n := range names {
		if fi, err := n.Info(); err == nil && fi.Mode().IsRegular() {
			fmt.Fprintf(h, "%q %d %d\n", n.Name(), fi.Size(), fi.ModTime().UnixNano())
		}
	}
	p.add(item{text: "--find-links " + quoted(path), key: "--find-links " + hex.EncodeToString(h.Sum(nil))}, constraint)
	return nil
}

// withoutComment cuts a "#" that begins the line or follows a blank, as pip does
// ("#" in an address is its fragment).
func withoutComment(line string) string {
	for i := 0; i < len(line); i++ {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// splitOption splits "-r x", "--requirement=x", "-rx".
func splitOption(text string) (option, value string) {
	if strings.HasPrefix(text, "--") {
		end := strings.IndexAny(text, "= \t")
		if end < 0 {
			return text, ""
		}
		option, value = text[:end], text[end+1:]
	} else {
		n := min(2, len(text))
		option, value = text[:n], strings.TrimPrefix(text[n:], "=")
	}
	return option, strings.Trim(strings.TrimSpace(value), `"'`)
}

// localPath splits a line that names a file or directory into its path and what
// follows (extras, marker, options).
func localPath(text string) (path, suffix string, ok bool) {
	body := text
	for _, mark := range []string{" ;", "; ", " --"} {
		if i := strings.Index(body, mark); i >= 0 {
			body = body[:i]
		}
	}
	rest := text[len(body):]
	name := ""
	if before, after, found := strings.Cut(body, "@"); found && !strings.ContainsAny(before, `/\:.`) || found && strings.HasSuffix(before, " ") {
		name, body = strings.TrimSpace(before), strings.TrimSpace(after)
	}
	body = strings.TrimSpace(body)
	extras := ""
	if strings.HasPrefix(body, "file:") {
		u, err := url.Parse(body)
		if err != nil || (u.Host != "" && u.Host != "localhost") {
			return "", "", false
		}
		body = filepath.FromSlash(u.Path)
		if u.Opaque != "" {
			body = u.Opaque
		}
		if i := strings.IndexByte(name, '['); i >= 0 {
			extras = name[i:]
		}
		return body, extras + rest, true
	}
	if isURL(body) || strings.Contains(body, "${") {
		return "", "", false
	}
	if strings.HasSuffix(body, "]") {
		if i := strings.LastIndexByte(body, '['); i >= 0 {
			body, extras = body[:i], body[i:]
		}
	}
	local := name != "" || strings.HasPrefix(body, ".") || filepath.IsAbs(body) ||
		strings.ContainsAny(body, `/\`) || archive(body)
	return body, extras + rest, local && body != ""
}

func archive(name string) bool {
	for _, ext := range []string{".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz"} {
		if strings.HasSuffix(name, ext) && !strings.ContainsAny(name, "=<>~ ") {
			return true
		}
	}
	return false
}

func isURL(s string) bool { return strings.Contains(s, "://") && !strings.HasPrefix(s, "file:") }

// normal is a line with single blanks and without credentials.
func normal(text string) string {
	joined := strings.Join(strings.Fields(text), " ")
	if strings.HasPrefix(text, " ") && joined != "" {
		joined = " " + joined
	}
	return redact(joined)
}

func quoted(path string) string {
	if strings.ContainsAny(path, " \t") {
		return `"` + path + `"`
	}
	return path
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

func readBounded(name string) ([]byte, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a file")}
	}
	if fi.Size() > fileLimit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d bytes", fileLimit)}
	}
	return os.ReadFile(name)
}

func fileHash(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
