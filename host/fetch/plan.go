package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// item is one file that is due.
type item struct {
	output, location string
	// name of the file below its location; "" where it is the location.
	name string
	// path in the directory, with slashes.
	path string
	// bytes is -1 where it is not known.
	bytes int64
	// local is the file on this machine, "" for one that the source reads.
	local string
}

// Errors of single files.
var (
	errOutside = errors.New("its name leads out of the directory, so it is not fetched")
	errTwice   = errors.New("another file of this run has the same name, so it is not fetched")
	errNoFile  = errors.New("it is neither a file nor a directory")
)

// plan finds out which files there are.
func (f *fetch) plan(ctx context.Context) ([]item, error) {
	var items []item
	taken := map[string]bool{}
	add := func(o Output, name string, it item) {
		it.output, it.location = o.Name, o.Location
		if it.local == "" {
			it.name = name
		}
		to, ok := place(o.Name, name)
		switch {
		case !ok:
			f.failed(&FileError{Path: path.Join(o.Name, name), Location: o.Location, Err: errOutside})
		case taken[to]:
			f.failed(&FileError{Path: to, Location: o.Location, Err: errTwice})
		default:
			taken[to], it.path = true, to
			items = append(items, it)
		}
	}
	for _, o := range f.o.Outputs {
		var err error
		switch {
		case filepath.IsAbs(o.Location):
			err = local(o, add)
		case f.o.Source == nil:
			f.result.Elsewhere = append(f.result.Elsewhere, o)
		case o.Bytes >= 0:
			// It has a size, so that it is one file, and nobody need be asked.
			add(o, "", item{bytes: o.Bytes})
		default:
			var files []File
			files, err = f.list(ctx, o)
			for _, file := range files {
				add(o, file.Name, item{bytes: file.Bytes})
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var end *StopError
		if errors.As(err, &end) {
			return nil, err
		}
		if err != nil {
			f.failed(&FileError{Path: o.Name, Location: o.Location, Err: err})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.progress.Files = len(items)
	for _, it := range items {
		if it.bytes < 0 || f.progress.Total < 0 {
			f.progress.Total = -1
			continue
		}
		f.progress.Total += it.bytes
	}
	return items, nil
}

// list asks the source, until it answers.
func (f *fetch) list(ctx context.Context, o Output) (files []File, err error) {
	err = f.again(ctx, item{path: o.Name}, func() (bool, error) {
		files, err = f.o.Source.List(ctx, o.Location)
		return false, err
	})
	return files, err
}

// place is where a file of an output goes, or false where that would be
// outside. Nothing is cleaned away silently: "a/../b" has never been asked for.
func place(output, name string) (string, bool) {
	for _, part := range []string{output, name} {
		if strings.ContainsRune(part, 0) || strings.Contains(part, `\`) && filepath.Separator == '\\' {
			return "", false
		}
		for piece := range strings.SplitSeq(part, "/") {
			if piece == ".." {
				return "", false
			}
		}
	}
	if strings.HasPrefix(name, "/") {
		return "", false
	}
	to := path.Join(output, name)
	return to, to != "." && filepath.IsLocal(filepath.FromSlash(to)) && !strings.HasPrefix(path.Base(to), partPrefix)
}

// local finds the files of an output on this machine. Links are not followed out
// of the output, and nothing but files is copied.
func local(o Output, add func(Output, string, item)) error {
	info, err := os.Lstat(o.Location)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		add(o, "", item{bytes: info.Size(), local: o.Location})
		return nil
	case !info.IsDir():
		return errNoFile
	}
	return filepath.WalkDir(o.Location, func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(o.Location, at)
		if err != nil {
			return fmt.Errorf("the file %s: %w", at, err)
		}
		add(o, filepath.ToSlash(rel), item{bytes: info.Size(), local: at})
		return nil
	})
}
