//go:build unix

package runner

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	"github.com/stephost/stephost/pluginsdk/detached/tail"
)

// The life of a runner as a process is tested by the flavor, whose test binary
// is one.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newJob(t *testing.T) jobdir.Job {
	j, err := jobdir.JobAt(filepath.Join(t.TempDir(), strings.Repeat("a", 26)))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(j.Logs(), 0o700))
	return j
}

func openBoth(t *testing.T, j jobdir.Job) (*pump, int) {
	p, err := openPump(j, "stdout")
	require.NoError(t, err)
	fd, err := writeEnd(j, "stdout")
	require.NoError(t, err)
	return p, fd
}

func end(t *testing.T, p *pump, fd int) {
	require.NoError(t, unix.Close(fd))
	require.True(t, p.wait(time.After(time.Minute)))
	p.close()
}

func TestPumpMovesEveryByte(t *testing.T) {
	for _, copies := range []bool{false, true} {
		j := newJob(t)
		want := make([]byte, 3<<20+17)
		_, err := rand.Read(want)
		require.NoError(t, err)
		// Twice, as two runners would: the second goes on behind the first.
		for _, part := range [][]byte{want[:1<<20], want[1<<20:]} {
			p, fd := openBoth(t, j)
			p.copies = copies
			p.start()
			_, err = unix.Write(fd, part) // blocks while the pipe is full
			require.NoError(t, err)
			end(t, p, fd)
		}
		got, err := os.ReadFile(j.Stream("stdout"))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "copies %v", copies)
		info, err := os.Stat(j.Times("stdout"))
		require.NoError(t, err)
		assert.Positive(t, info.Size())
		assert.Zero(t, info.Size()%TimesRecord)
	}
}

// The step's descriptors must block: a program that gets EAGAIN from its
// standard output loses what it wrote.
func TestTheStepsEndBlocks(t *testing.T) {
	p, fd := openBoth(t, newJob(t))
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	require.NoError(t, err)
	assert.Zero(t, flags&unix.O_NONBLOCK)
	p.start()
	end(t, p, fd)
}

func TestWithoutAReaderTheStepIsNotEnded(t *testing.T) {
	j := newJob(t)
	p, fd := openBoth(t, j)
	p.close() // the runner is dead
	_, err := unix.Write(fd, []byte("written while nobody reads\n"))
	require.NoError(t, err)
	p, err = openPump(j, "stdout")
	require.NoError(t, err)
	p.start()
	end(t, p, fd)
	got, err := os.ReadFile(j.Stream("stdout"))
	require.NoError(t, err)
	assert.Equal(t, "written while nobody reads\n", string(got))
}

// /dev/full answers every write as a full disk does.
func TestFullDiskDoesNotHoldTheStep(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	j := newJob(t)
	p, fd := openBoth(t, j)
	require.NoError(t, p.openFiles())
	file := p.log
	p.log = full
	p.start()
	lost := make([]byte, 300_000)
	_, err = unix.Write(fd, lost)
	require.NoError(t, err)
	end(t, p, fd)
	require.NoError(t, file.Close())

	r := tail.Open(j, "stdout", 0)
	defer r.Close()
	var gap int64
	_, err = r.Read(true, func(e tail.Entry) error { gap += e.Lost; return nil })
	require.NoError(t, err)
	assert.EqualValues(t, len(lost), gap, "what was lost is known to the byte")
}

func TestReadSpec(t *testing.T) {
	s, err := readSpec(strings.NewReader(""))
	require.NoError(t, err)
	assert.Nil(t, s)
	s, err = readSpec(strings.NewReader(`{"Argv":["true"]}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"true"}, s.Argv)
	for _, cut := range []string{`{"Argv":["true"],"Env":["TOKEN=s3cr3t"`, `{`, `{"Argv":[]}`, "\x00"} {
		_, err := readSpec(strings.NewReader(cut))
		require.Error(t, err, cut)
		assert.NotContains(t, err.Error(), "s3cr3t")
	}
}

func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, mode))
		return path
	}
	tool, plain, below := write("bin/tool", 0o700), write("bin/plain", 0o600), write("work/bin/mine", 0o700)
	work := filepath.Join(dir, "work")
	for _, c := range []struct {
		name, path, want string
		code             int
	}{
		{"tool", filepath.Join(dir, "bin"), tool, 0},
		{"tool", "/none:" + filepath.Join(dir, "bin"), tool, 0},
		{"mine", "bin", below, 0},
		{"bin/mine", "", below, 0},
		{"./bin/mine", "/none", below, 0},
		{tool, "", tool, 0},
		{"plain", filepath.Join(dir, "bin"), "", 126},
		{plain, "", "", 126},
		{"bin", dir, "", 126},
		{"mine", "", "", 127},
		{"mine", ":", "", 127},
		{"none", "/bin", "", 127},
		{"", "/bin", "", 127},
	} {
		got, err := lookPath(c.name, work, []string{"PATH=/first/is/not/last", "PATH=" + c.path})
		if c.code == 0 {
			require.NoError(t, err, "%+v", c)
			assert.Equal(t, c.want, got)
			continue
		}
		var s *startError
		require.ErrorAs(t, err, &s, "%+v", c)
		assert.Equal(t, c.code, s.code, "%+v", c)
	}
}
