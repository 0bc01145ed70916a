package source

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// depthNamed is how deep a directory is named as one of the biggest paths:
// deeper ones are counted in their parents.
const depthNamed = 3

// Biggest returns up to ten paths, biggest first. A directory stands for what
// lies in it, unless nearly all of that is one path below it, which says more.
func (t *Tree) Biggest() []Size {
	sizes := map[string]int64{}
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Kind != File {
			continue
		}
		sizes[e.Path] += e.Size
		for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
			if strings.Count(dir, "/") < depthNamed {
				sizes[dir] += e.Size
			}
		}
	}
	largestChild := map[string]int64{}
	list := make([]Size, 0, len(sizes))
	for p, n := range sizes {
		list = append(list, Size{Path: p, Bytes: n})
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			largestChild[dir] = max(largestChild[dir], n)
		}
	}
	slices.SortFunc(list, func(a, b Size) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Path, b.Path))
	})
	var named []Size
	for _, s := range list {
		if len(named) == biggestCount || s.Bytes == 0 {
			break
		}
		if largestChild[s.Path] >= s.Bytes/5*4 && largestChild[s.Path] > 0 {
			continue
		}
		if slices.ContainsFunc(named, func(n Size) bool { return strings.HasPrefix(s.Path, n.Path+"/") }) {
			continue
		}
		named = append(named, s)
	}
	return named
}

// FormatBytes writes a size for people, as "1.5 GiB".
func FormatBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", max(n, 0))
	}
	size, unit := float64(n), -1
	for size >= 1<<10 && unit < 4 {
		size, unit = size/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTP"[unit])
}
