package diag

import (
	"sync"

	"github.com/hashicorp/hcl/v2"
)

// Sources remembers the texts that diagnostics point into, by file name, so
// that their lines can be shown. A value given on the command line is a source
// whose name is the flag ("--role") and whose text is what was given. The zero
// value is ready; a Sources is safe for concurrent use and must not be copied.
// A nil *Sources parses as well and remembers nothing.
type Sources struct {
	mu    sync.RWMutex
	files map[string]source
}

type source struct {
	bytes []byte
	// file knows which block a place is in; nil for what was only added.
	file *hcl.File
}

// Add makes src known under name; a later one replaces it. src must not be
// changed afterwards.
func (s *Sources) Add(name string, src []byte) { s.put(name, source{bytes: src}) }

func (s *Sources) put(name string, src source) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string]source{}
	}
	s.files[name] = src
}

func (s *Sources) get(name string) source {
	if s == nil {
		return source{}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.files[name]
}

// Bytes is the text known under name, or nil. It must not be changed.
func (s *Sources) Bytes(name string) []byte { return s.get(name).bytes }

// Secret as the Extra of an hcl.Diagnostic says that the source around its
// subject may hold a secret: only the subject itself (a name) is shown.
type Secret struct{}
