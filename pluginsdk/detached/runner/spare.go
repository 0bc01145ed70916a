package runner

import "errors"

// Spare is a runner that was started before there is a job for it. Exec and the
// start of its Go runtime take half of what a Submit takes otherwise. It holds
// nothing, and ends with the process that made it, or with Close.
type Spare struct{ talk *talk }

// NewSpare starts one.
func NewSpare() (*Spare, error) {
	if !Supported {
		return nil, errors.ErrUnsupported
	}
	t, err := spawn(noJobYet, nil)
	if err != nil {
		return nil, err
	}
	return &Spare{talk: t}, nil
}

// Close ends a spare that Start was not given.
func (s *Spare) Close() {
	_ = s.talk.stdin.Close()
	_ = s.talk.answer.Close()
}
