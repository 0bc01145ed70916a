package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// packagesName is the directory in which an executor finds the step's packages.
const packagesName = "environment"

// shipped are the files that Prepare makes for a job: what executors on other
// machines get, and the program that stands for a command. They lie beside the
// job's record and end with its leftovers.
type shipped struct{ job jobdir.Job }

func (p shipped) dir() string {
	return filepath.Join(filepath.Dir(filepath.Dir(p.job.Dir)), "staged", p.job.Key)
}

func (p shipped) driver() string   { return filepath.Join(p.dir(), "driver.py") }
func (p shipped) source() string   { return filepath.Join(p.dir(), "source.zip") }
func (p shipped) packages() string { return filepath.Join(p.dir(), "packages.tar.gz") }

// write makes path with what fill writes, whole or not at all: Prepare may die, and
// may run twice at the same time.
func write(path string, fill func(io.Writer) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(fill(f), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// packSource writes the Python files of a directory as a zip that Python imports
// from, with the data files between them.
func packSource(ctx context.Context, dir string) func(io.Writer) error {
	return func(to io.Writer) error {
		z := zip.NewWriter(to)
		err := walk(ctx, dir, nil, func(name, path string, info fs.FileInfo) error {
			if !info.Mode().IsRegular() {
				return nil
			}
			w, err := z.Create(name)
			if err != nil {
				return err
			}
			return copyFile(w, path)
		})
		// Never without an entry: Python's zipimport wants one (assumption).
		if w, cerr := z.Create(".stephost"); cerr == nil {
			_, _ = io.WriteString(w, "source of a step\n")
		}
		return errors.Join(err, z.Close())
	}
}

// packVenv writes a virtual environment as an archive for executors. Spark itself
// is left out: they have it. Its python is a link to that of the machine, so it
// works where the same Python lies at the same place.
func packVenv(ctx context.Context, venv string) func(io.Writer) error {
	return func(to io.Writer) error {
		g, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
		if err != nil {
			return err
		}
		t := tar.NewWriter(g)
		err = walk(ctx, venv, isPyspark, func(name, path string, info fs.FileInfo) error {
			link := ""
			if info.Mode()&fs.ModeSymlink != 0 {
				if link, err = os.Readlink(path); err != nil {
					return err
				}
			}
			h, err := tar.FileInfoHeader(info, link)
			if err != nil {
				return err
			}
			h.Name = name
			if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
				return err
			}
			return copyFile(t, path)
		})
		return errors.Join(err, t.Close(), g.Close())
	}
}

func isPyspark(name string) bool {
	return strings.HasSuffix(name, "/site-packages/pyspark")
}

// copyTree copies a directory, whole or not at all.
func copyTree(ctx context.Context, from, to string, leaveOut func(string) bool) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	err = walk(ctx, from, leaveOut, func(name, path string, info fs.FileInfo) error {
		target := filepath.Join(temp, filepath.FromSlash(name))
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case info.IsDir():
			return os.MkdirAll(target, 0o755)
		case !info.Mode().IsRegular():
			return nil
		}
		f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o444)
		if err != nil {
			return err
		}
		return errors.Join(copyFile(f, path), f.Close())
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	err = os.Rename(temp, to)
	if _, serr := os.Stat(to); err != nil && serr == nil {
		return nil // another one was faster
	}
	return err
}

// walk visits what is below root, with names relative to it.
func walk(ctx context.Context, root string, leaveOut func(string) bool, visit func(name, path string, info fs.FileInfo) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		if leaveOut != nil && leaveOut(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(name, path, info)
	})
}

func copyFile(to io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, f)
	return err
}
