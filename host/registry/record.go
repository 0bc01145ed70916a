package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// recordVersion is the format of record.json; a newer one is refused.
const recordVersion = 1

// maxRecord bounds what is read as a record; a real one has about 1 KiB.
const maxRecord = 1 << 20

const recordFile = "record.json"

// record is record.json: one registered flavor version.
type record struct {
	Record   int       `json:"record"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Summary  string    `json:"summary"`
	Digest   string    `json:"manifest_digest"`
	Manifest string    `json:"manifest"` // file name in the record's directory
	From     string    `json:"from"`
	At       time.Time `json:"registered_at"`
	Warnings []string  `json:"warnings,omitempty"`
	// Seen is how the file at From looked when its bytes were last read.
	Seen *StatTuple `json:"seen,omitempty"`
	// VerifyAlways: a full hash at every start.
	VerifyAlways bool            `json:"verify_always,omitempty"`
	Artifact     *recordArtifact `json:"artifact,omitempty"`
	Shipped      *recordShipped  `json:"shipped,omitempty"`
}

// recordArtifact is Artifact with paths relative to the home (a home may be
// moved), absolute for Dev.
type recordArtifact struct {
	Path        string             `json:"path"`
	Kind        string             `json:"kind"`
	Entry       string             `json:"entry,omitempty"`
	SHA256      string             `json:"sha256,omitempty"`
	Size        int64              `json:"size"`
	Files       int                `json:"files,omitempty"`
	OS          string             `json:"os,omitempty"`
	Arch        string             `json:"arch,omitempty"`
	Command     []string           `json:"command,omitempty"`
	Dev         bool               `json:"dev,omitempty"`
	Interpreter *recordInterpreter `json:"interpreter,omitempty"`
	Stat        StatTuple          `json:"stat"`
	TreeStat    string             `json:"tree_stat,omitempty"`
}

type recordInterpreter struct {
	Name       string    `json:"name"`
	Constraint string    `json:"constraint,omitempty"`
	Path       string    `json:"path"`
	Version    string    `json:"version,omitempty"`
	SHA256     string    `json:"sha256"`
	Stat       StatTuple `json:"stat"`
}

// recordShipped is what the shipped file and stephost itself looked like when
// the flavor was pinned at its first use.
type recordShipped struct {
	Source StatTuple `json:"source"`
	Host   StatTuple `json:"host"`
}

func (r *Registry) recordDir(name, version string) string {
	return filepath.Join(r.home.Flavors(), name, version)
}

// readRecord reads one record; fs.ErrNotExist when there is none.
func (r *Registry) readRecord(name, version string) (*record, error) {
	path := filepath.Join(r.recordDir(name, version), recordFile)
	data, err := readBounded(path, maxRecord)
	if err != nil {
		return nil, err
	}
	damaged := func(err error) error {
		return &problem.Error{Summary: "the record " + path + " is damaged", Err: err,
			Next: "register the flavor again with --replace, or forget it: stephost flavor delete " + name + "@" + version}
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return nil, damaged(err)
	}
	if rec.Record > recordVersion {
		return nil, &problem.Error{Summary: "the record " + path + " was written by a newer stephost", Next: "update stephost"}
	}
	if rec.Name != name || rec.Version != version || rec.Manifest != filepath.Base(rec.Manifest) {
		return nil, damaged(fmt.Errorf("it is for %s@%s", quoted(rec.Name), quoted(rec.Version)))
	}
	if a := rec.Artifact; a != nil && !a.Dev && !filepath.IsLocal(a.Path) {
		return nil, damaged(fmt.Errorf("its artifact %s is outside of the home", quoted(a.Path)))
	}
	return &rec, nil
}

// writeRecord makes the record visible; its manifest must be written before.
func (r *Registry) writeRecord(rec *record) error {
	rec.Record = recordVersion
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.recordDir(rec.Name, rec.Version), recordFile), append(data, '\n'), 0o600)
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := openNoWait(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", limit)}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", limit)}
	}
	return data, err
}

// flavor makes the public value of a record.
func (r *Registry) flavor(rec *record) *Flavor {
	f := &Flavor{
		Name: rec.Name, Version: rec.Version, Summary: rec.Summary, Status: Registered,
		ManifestDigest: rec.Digest, From: rec.From, At: rec.At, Warnings: rec.Warnings, reg: r,
		source: manifestSource{file: filepath.Join(r.recordDir(rec.Name, rec.Version), rec.Manifest)},
		record: rec,
	}
	if rec.Shipped != nil {
		f.Status = Shipped
	}
	a := rec.Artifact
	if a == nil {
		return f
	}
	f.Artifact = &Artifact{
		Path: a.Path, Kind: a.Kind, Entry: a.Entry, SHA256: a.SHA256, Size: a.Size, Files: a.Files,
		OS: a.OS, Arch: a.Arch, Command: a.Command, Dev: a.Dev, Stat: a.Stat, TreeStat: a.TreeStat,
	}
	if a.Dev {
		f.Status = Dev
		f.Warnings = append([]string{devWarning(f)}, f.Warnings...)
	} else {
		f.Artifact.Path = filepath.Join(r.home.Root(), a.Path)
	}
	if a.Interpreter != nil {
		in := Interpreter(*a.Interpreter)
		f.Artifact.Interpreter = &in
	}
	return f
}

func devWarning(f *Flavor) string {
	return "flavor " + f.Ref() + " is registered in place (--dev): it is not pinned, and whatever lies at " + f.From + " is started"
}

// recordOf is the stored form of an artifact.
func (r *Registry) recordOf(a *Artifact) (*recordArtifact, error) {
	if a == nil {
		return nil, nil
	}
	rec := &recordArtifact{
		Path: a.Path, Kind: a.Kind, Entry: a.Entry, SHA256: a.SHA256, Size: a.Size, Files: a.Files,
		OS: a.OS, Arch: a.Arch, Command: a.Command, Dev: a.Dev, Stat: a.Stat, TreeStat: a.TreeStat,
	}
	if !a.Dev {
		var err error
		if rec.Path, err = filepath.Rel(r.home.Root(), a.Path); err != nil {
			return nil, err
		}
	}
	if a.Interpreter != nil {
		in := recordInterpreter(*a.Interpreter)
		rec.Interpreter = &in
	}
	return rec, nil
}
