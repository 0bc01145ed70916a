package environment

import (
	"path/filepath"
	"time"

	"github.com/stephost/stephost/host/environment/image"
	"github.com/stephost/stephost/host/environment/internal/sweep"
	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/environment/source"
)

// building is how long what an image is made of stays in any case: "stephost build"
// makes one without a run that would say so.
const building = requirements.BuildLimit

// Sweep removes from a cache what no preparation has used since a time: copies of
// source files, virtual environments, packages and layers. It returns the bytes, with
// dryRun those that it would remove.
//
// A step runs in the virtual environment of the cache, so before must not be later
// than the preparation of any step that may still run. What is being made stays; all
// else can be made again, and who meets a gap meanwhile does so.
func Sweep(cacheDir string, before time.Time, dryRun bool) int64 {
	o := sweep.Options{Before: before, DryRun: dryRun}
	bytes := source.NewStore(filepath.Join(cacheDir, "source")).Sweep(o) +
		requirements.SweepVenvs(filepath.Join(cacheDir, "venvs"), o)
	if latest := time.Now().Add(-building); o.Before.After(latest) {
		o.Before = latest
	}
	return bytes + requirements.SweepPackages(cacheDir, o) + image.Sweep(cacheDir, o)
}
