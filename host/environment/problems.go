package environment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/stephost/stephost/host/environment/source"
	"github.com/stephost/stephost/host/problem"
)

// phase is where these problems happen in the life of a run.
const phase = "preparing"

func fileCount(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// sizeWarnings tell of a tree that is large but not refused.
func sizeWarnings(t *source.Tree) []string {
	if t.Bytes <= source.SizeWarning {
		return nil
	}
	return []string{fmt.Sprintf("The source has %s in %s. The biggest paths: %s. Leave out what the step does not need with exclude or .stephostignore.",
		source.FormatBytes(t.Bytes), fileCount(t.Files), strings.Join(sizeLines(t.Biggest()), ", "))}
}

func sizeLines(sizes []source.Size) []string {
	var lines []string
	for _, s := range sizes {
		lines = append(lines, fmt.Sprintf("%q (%s)", s.Path, source.FormatBytes(s.Bytes)))
	}
	return lines
}

func biggest(sizes []source.Size) string {
	if len(sizes) == 0 {
		return ""
	}
	return "The biggest paths:\n  " + strings.Join(sizeLines(sizes), "\n  ")
}

// sourceProblem turns an error about source files into one for the person.
func sourceProblem(ctx context.Context, err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	e := &problem.Error{Summary: "cannot copy the source", Phase: phase, Class: problem.Config, Err: err,
		Next: "correct the step's source blocks"}
	var (
		large   *source.TooLargeError
		many    *source.TooManyError
		space   *source.NoSpaceError
		link    *source.LinkError
		special *source.SpecialError
		target  *source.TargetError
		clash   *source.ClashError
		changed *source.ChangedError
		missing *source.MissingBlobError
		path    *fs.PathError
	)
	switch {
	case ctx.Err() != nil:
		e.Summary, e.Err, e.Class, e.Next = "preparing the source was cancelled", context.Cause(ctx), problem.Cancelled, ""
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			e.Summary, e.Class = "preparing the source took too long", problem.Timeout
		}
	case errors.As(err, &large):
		e.Detail = biggest(large.Biggest)
		e.Next = "leave data out with exclude or .stephostignore, or set allow_large = true"
	case errors.As(err, &many):
		e.Detail = biggest(many.Biggest)
		e.Next = "leave out what the step does not need with exclude or .stephostignore"
	case errors.As(err, &space):
		e.Detail = biggest(space.Biggest)
		e.Next = "leave data out with exclude or .stephostignore, free space, or move STEPHOST_HOME"
	case errors.As(err, &link):
		e.Next = fmt.Sprintf("exclude = [%q], or add what it points to as a source of its own, with a target", "/"+link.Path)
	case errors.As(err, &special):
		e.Next = fmt.Sprintf("exclude = [%q]", "/"+special.Path)
	case errors.As(err, &target):
		e.Next = `give a relative target without ".."`
	case errors.As(err, &clash):
		e.Next = "give one of the sources another target, or exclude the path from it"
	case errors.As(err, &changed):
		e.Class = problem.User
		e.Next = "launch when nothing writes there, or leave it out with exclude"
	case errors.As(err, &missing):
		e.Class = problem.System
		e.Next = "see whether something else removes files from the cache"
	case errors.Is(err, syscall.ENOSPC):
		e.Class, e.Next = problem.System, "free space, or move STEPHOST_HOME"
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		e.Next = "allow reading it, or leave it out with exclude"
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist):
		e.Next = "correct the path of the source"
	}
	return e
}

func cannotMake(dir string, err error) error {
	return &problem.Error{Summary: "cannot make the work directory " + dir, Phase: phase, Class: problem.System, Err: err,
		Next: "see that STEPHOST_HOME can be written and its disk is not full"}
}

func notOurs(dir string, err error) error {
	return &problem.Error{Summary: "the work directory " + dir + " holds files that were not put there by a preparation",
		Phase: phase, Class: problem.System, Err: err, Next: "move it away"}
}
