package source

import (
	"os"
	"path/filepath"
	"strings"
)

// maxHops is how many links one resolution follows, as in Linux.
const maxHops = 40

// linkInside reads the link at rel (from root, which has no links in it) and
// returns its target, relative and with slashes. It follows the link through
// every other link on its way, since "d/../.." may leave the root although its
// text seems not to. A link that leaves the root is a *LinkError. One that
// points at nothing, or in a circle, stays inside and is kept.
func linkInside(root, rel string) (string, error) {
	raw, err := os.Readlink(filepath.Join(root, filepath.FromSlash(rel)))
	if err != nil {
		return "", err
	}
	refused := &LinkError{Path: rel, Root: root, Target: raw}
	target := raw
	if filepath.IsAbs(raw) {
		inside, ok := relativeTo(root, raw)
		if !ok {
			return "", refused
		}
		if target, err = filepath.Rel(filepath.Dir(filepath.FromSlash(rel)), inside); err != nil {
			return "", refused
		}
	}
	here := strings.Split(rel, "/")
	if !staysInside(root, here[:len(here)-1], target) {
		return "", refused
	}
	return filepath.ToSlash(target), nil
}

// relativeTo is the path from root to abs when it lies in root.
func relativeTo(root, abs string) (string, bool) {
	for _, p := range []string{filepath.Clean(abs), realPath(abs)} {
		if rel, err := filepath.Rel(root, p); err == nil && filepath.IsLocal(rel) {
			return rel, true
		}
	}
	return "", false
}

func staysInside(root string, here []string, target string) bool {
	at := append([]string(nil), here...)
	todo := strings.Split(filepath.ToSlash(target), "/")
	for hops := 0; len(todo) > 0; {
		step := todo[0]
		todo = todo[1:]
		switch step {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return false
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, step)
		next, err := os.Readlink(filepath.Join(root, filepath.Join(at...)))
		if err != nil {
			continue // not a link, or nothing there
		}
		if hops++; hops > maxHops {
			return true // a circle leads nowhere
		}
		if filepath.IsAbs(next) {
			inside, ok := relativeTo(root, next)
			if !ok {
				return false
			}
			at, next = nil, inside
		} else {
			at = at[:len(at)-1]
		}
		todo = append(strings.Split(filepath.ToSlash(next), "/"), todo...)
	}
	return true
}
