package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAttachWords(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	launch := []string{"launch", "--operator", "here", "-C", w.dir}
	w.write("stephost.hcl", sampleProject)

	r := w.run(append(launch, "--attach-plugin", "cloud", "--", "true")...)
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "names no flavor and directory")
	assert.Contains(t, r.err, "STEPHOST_ATTACH=DIRECTORY")

	t.Setenv("STEPHOST_ATTACH_PLUGIN", "cloud=, ")
	r = w.run(append(launch, "--", "true")...)
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "names no flavor and directory")

	t.Setenv("STEPHOST_ATTACH_PLUGIN", "cloud="+w.base+"/meet")
	r = w.run(append(launch, "--detach", "--", "true")...)
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "cannot be detached")
	w.neverRan()

	r = w.run("attach-relay", w.base+"/meet")
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.err, "launch --attach-plugin", "by hand it does nothing")
}

// What writes no log reads no level.
func TestLogLevels(t *testing.T) {
	w := newWorld(t)
	for _, good := range []string{"warn", "debug,cloud=trace", "cloud=error", "off", " info , cloud=off,"} {
		t.Setenv("STEPHOST_LOG", good)
		assert.Zero(t, w.run("run", "list").code, good)
	}
	for _, bad := range []string{"loud", "cloud=loud", "=debug"} {
		t.Setenv("STEPHOST_LOG", bad)
		r := w.run("run", "list")
		assert.Equal(t, 125, r.code, bad)
		assert.Contains(t, r.err, "FLAVOR=level", bad)
	}
}
