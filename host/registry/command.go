package registry

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
)

const hostArch = runtime.GOARCH

// Placeholders of a manifest's exec command.
const (
	fileWord        = "{file}"
	dirWord         = "{dir}"
	interpreterMark = "{interpreter:"
)

// setCommand decides how the artifact is started: by the manifest's exec block,
// by the script's first line, or as it is. shown is the path as it was given.
func (a *Artifact) setCommand(ctx context.Context, m *manifest.Manifest, line, shown string) error {
	switch {
	case m.Exec != nil && len(m.Exec.Command) > 0:
		return a.execCommand(ctx, m.Exec.Command, m)
	case a.Kind == KindDirectory:
		return a.findEntry(m)
	case a.Kind == KindScript && line != "":
		name, args, err := shebang(line)
		if err != nil {
			return err
		}
		a.Command = append(append([]string{interpreterMark + name + "}"}, args...), fileWord)
		a.Interpreter, err = resolveInterpreter(ctx, name, "")
		return err
	case a.Kind == KindScript:
		return &problem.Error{Summary: shown + " is neither a program nor a script that says how it is run",
			Next: `begin it with #!/usr/bin/env python3, or put exec { command = ["{interpreter:python3>=3.10}", "{file}"] } into its manifest`}
	}
	return nil
}

// execCommand checks the manifest's command and resolves its interpreter.
func (a *Artifact) execCommand(ctx context.Context, command []string, m *manifest.Manifest) error {
	wrong := func(what, next string) error {
		return &problem.Error{Flavor: m.Name + "@" + m.Version, Summary: "its exec command " + what, Next: next}
	}
	for _, word := range command {
		if a.Kind == KindDirectory && strings.Contains(word, fileWord) {
			return wrong("has {file}, but the flavor is a directory", "write {dir}/NAME, where NAME is the file in the directory")
		}
		if a.Kind != KindDirectory && strings.Contains(word, dirWord) {
			return wrong("has {dir}, but the flavor is a file", "write {file}, or register the directory")
		}
		rest, ok := strings.CutPrefix(word, dirWord+"/")
		if !ok {
			continue
		}
		path := filepath.Join(a.Path, filepath.FromSlash(rest))
		if _, err := os.Stat(path); err != nil || !filepath.IsLocal(filepath.FromSlash(rest)) {
			return wrong("names "+word+", which is not in the directory", "check the name")
		}
	}
	a.Command = append([]string(nil), command...)
	name, constraint, err := "", "", error(nil)
	switch head := command[0]; {
	case strings.HasPrefix(head, fileWord), strings.HasPrefix(head, dirWord):
		return nil
	case strings.HasPrefix(head, interpreterMark) && strings.HasSuffix(head, "}"):
		name, constraint, err = splitInterpreter(head[len(interpreterMark) : len(head)-1])
	default:
		// A bare word would be looked up again at each start, as PATH is then.
		name, constraint, err = splitInterpreter(head)
	}
	if err != nil {
		return err
	}
	a.Command[0] = interpreterMark + name + constraint + "}"
	if a.Interpreter, err = resolveInterpreter(ctx, name, constraint); err != nil {
		return err
	}
	return nil
}

// findEntry looks for a directory's program by name.
func (a *Artifact) findEntry(m *manifest.Manifest) error {
	names := []string{"stephost-flavor-" + m.Name, m.Name, filepath.Base(a.Path)}
	var noBit error // of the first program that may not be executed
	for _, name := range names {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		for _, rel := range []string{name, filepath.Join("bin", name)} {
			path := filepath.Join(a.Path, rel)
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			head, _, line, err := readFile(path)
			if !executableBit(info) {
				if err == nil && head.kind != "" && line == "" && head.not == "" && noBit == nil {
					noBit = inPlaceExecutable(path, info)
				}
				continue
			}
			if err != nil {
				return err
			}
			if err := head.fits(path); err != nil {
				return err
			}
			if head.kind == "" || line != "" || head.not != "" {
				continue // a script in a directory needs an exec block: its interpreter must be recorded
			}
			a.Entry, a.OS, a.Arch = filepath.ToSlash(rel), head.os, archOf(head)
			return nil
		}
	}
	if noBit != nil {
		return noBit
	}
	return &problem.Error{Flavor: m.Name + "@" + m.Version,
		Summary: "nothing says which program in " + a.Path + " is the flavor",
		Detail:  "Looked for an executable named " + first(names, 3) + ", also in bin.",
		Next:    `put exec { command = ["{dir}/NAME"] } into its manifest, or exec { command = ["{interpreter:python3>=3.10}", "{dir}/NAME.py"] }`}
}

// argv fills in the command. path is the artifact's.
func (a *Artifact) argv() []string {
	if len(a.Command) == 0 {
		if a.Kind == KindDirectory {
			return []string{filepath.Join(a.Path, filepath.FromSlash(a.Entry))}
		}
		return []string{a.Path}
	}
	argv := make([]string, len(a.Command))
	for i, word := range a.Command {
		if i == 0 && strings.HasPrefix(word, interpreterMark) && a.Interpreter != nil {
			argv[i] = a.Interpreter.Path
			continue
		}
		if rest, ok := strings.CutPrefix(word, dirWord+"/"); ok {
			argv[i] = filepath.Join(a.Path, filepath.FromSlash(rest))
			continue
		}
		argv[i] = strings.NewReplacer(fileWord, a.Path, dirWord, a.Path).Replace(word)
	}
	return argv
}

// native says whether the artifact's own file is what is executed.
func (a *Artifact) native() bool {
	return a.Kind == KindELF && a.Interpreter == nil && (len(a.Command) == 0 || a.Command[0] == fileWord)
}

// numbers writes a list of majors.
func numbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// inPlaceExecutable refuses a program that has no x bit, for --dev and in a
// directory: a single file gets one in the store, these must have it.
func inPlaceExecutable(path string, info fs.FileInfo) error {
	if executableBit(info) {
		return nil
	}
	return &problem.Error{Summary: path + " is not executable", Next: "run: chmod u+x " + shellQuote(path)}
}
