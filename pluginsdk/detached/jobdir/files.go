package jobdir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// maxRecord bounds what is read from a record: a damaged state directory must
// not fill the memory.
const maxRecord = 1 << 20

// ErrExists: the record is there already and was left alone.
var ErrExists = errors.New("already there")

// errDamaged: the file is there, but is no record.
var errDamaged = errors.New("damaged")

// readJSON reads a whole record. An absent file is fs.ErrNotExist.
func readJSON(path string, into any) error {
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is %w: %w", path, errDamaged, err)
	}
	return nil
}

// readLine reads the record that is line n of the file. A line without its
// newline is damaged.
func readLine(path string, n int, into any) error {
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if n >= len(lines) || !bytes.HasSuffix(lines[n], []byte("\n")) {
		return fmt.Errorf("%s is %w: no line %d", path, errDamaged, n+1)
	}
	if err := json.Unmarshal(lines[n], into); err != nil {
		return fmt.Errorf("%s is %w: %w", path, errDamaged, err)
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// writeTemp writes v beside path, so that the link or rename that follows
// shows the whole file or none. durable: also after a power cut.
func writeTemp(path string, v any, durable bool) (temp string, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil && durable {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Name(), nil
}

// createOnce makes path with v in it, durably, or answers ErrExists. Of any number of
// callers exactly one makes it: link(2) never replaces.
func createOnce(path string, v any) error {
	temp, err := writeTemp(path, v, true)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// replace makes path hold v, durably, whatever was there.
func replace(path string, v any) error {
	temp, err := writeTemp(path, v, true)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// syncAll makes files, and the names in directories, survive a power cut. They
// are synced at the same time, because a file system writes them together.
func syncAll(paths ...string) error {
	errs := make([]error, len(paths))
	var wg sync.WaitGroup
	for i, path := range paths {
		wg.Go(func() { errs[i] = syncPath(path) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// Some file systems cannot sync a directory and say so; then nothing more
	// can be had from them.
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}
