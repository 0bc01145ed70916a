package registry

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
)

// candidate is what lies at a path, checked but not yet hashed or copied.
type candidate struct {
	path     string // absolute, links resolved
	manifest *manifest.Manifest
	artifact *Artifact // nil for a manifest alone; without hash and store path
	tree     *tree     // of a directory
	stat     StatTuple
	warnings []string
}

// inspect reads what lies at path and refuses what cannot be a flavor here.
// Nothing of it is run; its interpreter is looked up and asked its version.
func (r *Registry) inspect(ctx context.Context, path string) (*candidate, error) {
	real, info, err := r.lookAt(path)
	if err != nil {
		return nil, err
	}
	c := &candidate{path: real, stat: statOf(info)}
	var head binaryInfo
	var sdk, line string
	if !info.IsDir() {
		if head, sdk, line, err = readFile(real); err != nil {
			return nil, err
		}
	}
	m, found, diags := manifest.Read(ctx, r.sources, real)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if head.not != "" && (diags.HasErrors() || m == nil || m.Exec == nil) {
		return nil, notAProgram(path, head.not)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	if m == nil || found == nil {
		return nil, &problem.Error{Summary: "no manifest was found for " + path,
			Next: "put flavor.hcl beside it; a start: stephost flavor init NAME"}
	}
	c.manifest, c.warnings = m, warningsOf(diags)
	if err := errors.Join(checkFlavorName(m.Name), checkVersion(m.Version)); err != nil {
		return nil, err
	}
	if err := r.checkProtocol(m); err != nil {
		return nil, err
	}
	if found.File != "" && found.File != real {
		if side, err := os.Stat(found.File); err == nil {
			if err := checkPermissions(found.File, side); err != nil {
				return nil, err
			}
		}
	}
	if err := r.checkDirectory(filepath.Dir(real)); err != nil {
		return nil, err
	}
	if found.Where == manifest.Alone || found.Artifact == "" {
		return c, checkPermissions(real, info)
	}
	if err := head.fits(real); err != nil {
		return nil, err
	}
	if err := checkSDK(real, sdk, m.SDK, r.options.MinSDK); err != nil {
		return nil, err
	}
	if info.IsDir() {
		if c.tree, err = walkTree(ctx, real, true); err != nil {
			return nil, err
		}
		c.artifact = &Artifact{Path: real, Kind: KindDirectory, Size: c.tree.size, Files: c.tree.files}
	} else {
		if err := checkPermissions(real, info); err != nil && !r.installedAlike(real, info) {
			return nil, err
		}
		c.artifact = &Artifact{Path: real, Kind: cmp.Or(head.kind, KindScript), Size: info.Size(), OS: head.os, Arch: archOf(head)}
	}
	return c, c.artifact.setCommand(ctx, m, line, path)
}

// lookAt resolves a path and refuses what is neither file nor directory.
func (r *Registry) lookAt(path string) (string, fs.FileInfo, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, &problem.Error{Summary: quoted(path) + " is no usable path", Err: err}
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, r.noSuchPath(path, abs)
	case err != nil:
		return "", nil, unreadable(path, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", nil, unreadable(path, err)
	}
	switch {
	case info.IsDir():
	case !info.Mode().IsRegular():
		return "", nil, &problem.Error{Summary: path + " is " + modeWords(info.Mode()) + "; a flavor is a file or a directory",
			Next: "name the plugin's file, its directory, or its flavor.hcl"}
	case info.Size() > maxFile:
		return "", nil, &problem.Error{Summary: path + " is too large for a flavor", Err: tooLarge(maxFile),
			Next: "name the plugin's file, its directory, or its flavor.hcl"}
	}
	return real, info, nil
}

func unreadable(path string, err error) error {
	return &problem.Error{Summary: "cannot read " + path, Err: err, Next: "check its permissions, and those of the directories above it"}
}

// noSuchPath explains a path that does not exist: a Python class path of
// another tool's habit, a flavor's name, or a slip of the fingers.
func (r *Registry) noSuchPath(path, abs string) error {
	if pythonClass(path) {
		return &problem.Error{
			Summary: path + " is a Python class path; a flavor is a file",
			Detail:  "stephost imports no code: a flavor is a program with a manifest, in any language.",
			Next:    "see: stephost flavor init --language python",
		}
	}
	e := &problem.Error{Summary: "there is no file " + path, Err: fs.ErrNotExist}
	dir := filepath.Dir(abs)
	entries, err := os.ReadDir(dir)
	if err != nil {
		e.Detail = "There is no directory " + dir + " either."
		e.Next = "check the path"
		return e
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	e.Next = "check the path, or see what is known: stephost flavor list"
	if near := diag.Suggest(filepath.Base(abs), names); near != "" {
		e.Next = "did you mean " + filepath.Join(filepath.Dir(path), near) + "?"
	}
	return e
}

// pythonClass recognises a.b.Class: dotted identifiers, the last one beginning
// with a capital, or at least three of them without a file's extension.
func pythonClass(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 {
		return false
	}
	for _, p := range parts {
		for i, c := range p {
			letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
		if p == "" {
			return false
		}
	}
	last := parts[len(parts)-1]
	if c := last[0]; c >= 'A' && c <= 'Z' {
		return true
	}
	extensions := []string{"hcl", "json", "py", "sh", "exe", "js", "rb", "pl", "jar", "zip", "whl", "gz", "tar", "bin"}
	return len(parts) > 2 && !slices.Contains(extensions, last)
}

// readFile takes what is needed from the file's head and build information.
// line is the first line of a script.
func readFile(path string) (head binaryInfo, sdk, line string, err error) {
	f, err := openNoWait(path)
	if err != nil {
		return head, "", "", unreadable(path, err)
	}
	defer f.Close()
	if head, err = readHeader(f); err != nil {
		return head, "", "", &problem.Error{Summary: path + " looks like a program (" + head.kind + ") but is damaged", Err: err,
			Next: "build or download it again"}
	}
	switch head.kind {
	case KindScript:
		// A kernel reads 256 bytes of the line, so nobody writes more.
		line, err = bufio.NewReader(io.NewSectionReader(f, 0, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return head, "", "", unreadable(path, err)
		}
		line = strings.TrimRight(line, "\r\n")
	case KindELF, KindMachO, KindPE:
		sdk = sdkOf(f)
	}
	return head, sdk, line, nil
}

func notAProgram(path, what string) error {
	e := &problem.Error{Summary: path + " is " + what, Next: "name the plugin's file, its directory, or its flavor.hcl"}
	if strings.Contains(what, "archive") || strings.Contains(what, "compressed") {
		e.Next = "unpack it and register the file or directory inside, or put flavor.hcl with an exec block beside it"
	}
	return e
}

// checkProtocol refuses a flavor that shares no major of the contract.
func (r *Registry) checkProtocol(m *manifest.Manifest) error {
	for _, p := range m.Protocol {
		if slices.Contains(r.options.Protocols, p) {
			return nil
		}
	}
	older := len(m.Protocol) > 0 && slices.Max(m.Protocol) < slices.Min(r.options.Protocols)
	e := &problem.Error{
		Flavor:  m.Name + "@" + m.Version,
		Summary: "it speaks protocol " + numbers(m.Protocol) + "; this stephost speaks " + numbers(r.options.Protocols),
		Next:    "update stephost",
	}
	if older {
		e.Next = "update the flavor"
	}
	return e
}

// archOf is the architecture that will run.
func archOf(i binaryInfo) string {
	if len(i.arches) == 0 {
		return ""
	}
	for _, a := range i.arches {
		if a == hostArch {
			return a
		}
	}
	return i.arches[0]
}
