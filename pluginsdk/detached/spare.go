package detached

import (
	"time"

	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// spareLife is how long a spare runner is kept: a launch that began with this
// process submits within tens of milliseconds, or after an installation of some
// seconds. Later ones, and processes that only look on, need none.
const spareLife = 10 * time.Second

// Warm starts the runner that the first Submit needs, so that it comes up while the
// host still connects; call it beside that. What fails shows when a runner is
// needed.
func (j *Jobs) Warm() {
	s, err := runner.NewSpare()
	if err != nil {
		return
	}
	j.mu.Lock()
	j.spare = s
	j.mu.Unlock()
	time.AfterFunc(spareLife, func() {
		if s := j.takeSpare(); s != nil {
			s.Close()
		}
	})
}

// takeSpare is the spare runner, once.
func (j *Jobs) takeSpare() *runner.Spare {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.spare
	j.spare = nil
	return s
}
