package jobdir

import (
	"errors"
	"io/fs"
)

// View is what a job's directory says at one moment.
type View struct {
	// Exit is the verdict; with it nothing else counts.
	Exit *Exit
	// Locked: a runner lives.
	Locked bool
	// Started, Child and Cancel as far as they are there.
	Started *Started
	Child   *Child
	Cancel  *Cancel
}

// View reads the job. fs.ErrNotExist = there is no such job.
//
// The verdict is read last where it decides: a runner that wrote it and ended
// between two reads must not look like one that died without.
func (j Job) View() (View, error) {
	if exit, err := optional(j.ReadExit); err != nil || exit != nil {
		return View{Exit: exit}, err
	}
	if _, err := j.ReadMeta(); err != nil {
		return View{}, err
	}
	locked, err := Locked(j.Lock())
	if err != nil {
		return View{}, err
	}
	v := View{Locked: locked}
	if v.Started, err = optional(j.ReadStarted); err != nil {
		return View{}, err
	}
	if v.Child, err = optional(j.ReadChild); err != nil {
		return View{}, err
	}
	if v.Cancel, err = optional(j.ReadCancel); err != nil {
		return View{}, err
	}
	v.Exit, err = optional(j.ReadExit)
	return v, err
}

// optional turns an absent record into nil.
func optional[T any](read func() (T, error)) (*T, error) {
	v, err := read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}
