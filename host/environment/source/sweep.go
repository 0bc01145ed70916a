package source

import (
	"path/filepath"
	"time"

	"github.com/stephost/stephost/host/environment/internal/sweep"
)

// usedEvery is how old the time of a blob's last use may be: setting it for each copy
// would cost a write for each file.
const usedEvery = 24 * time.Hour

// Sweep removes contents that no tree was copied from since a time, give or take
// usedEvery, and returns their bytes. Who needs one meanwhile adds it again.
func (s *Store) Sweep(o sweep.Options) int64 {
	bytes := o.Files(filepath.Join(s.dir, "blobs")) + o.Files(filepath.Join(s.dir, "hashes"))
	// A blob that is being written is as old as its beginning.
	if stale := time.Now().Add(-staleTemp); o.Before.After(stale) {
		o.Before = stale
	}
	return bytes + o.Files(filepath.Join(s.dir, "tmp"))
}
