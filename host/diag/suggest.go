package diag

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Suggest is the candidate nearest to word when it is near enough to be meant,
// else "". Case, "-" and "_" do not count. Of equally near ones the first wins.
func Suggest(word string, candidates []string) string {
	const longest = 100 // the distance costs length x length
	w := fold(word)
	if w == "" || len(w) > longest {
		return ""
	}
	best, bestDistance := "", 1+max(1, min(3, len(w)/3))
	for _, c := range candidates {
		f := fold(c)
		if len(f) > longest || f == "" {
			continue
		}
		d := levenshtein.Distance(w, f, nil)
		// A swap of two letters is one slip, not two.
		if d == 2 && swapped(w, f) {
			d = 1
		}
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" && len(w) >= 3 {
		// "type" for "instance_type", "instance" for "instance_type": only when
		// there is no doubt.
		for _, c := range candidates {
			if f := fold(c); strings.HasPrefix(f, w) || strings.HasSuffix(f, w) {
				if best != "" {
					return ""
				}
				best = c
			}
		}
	}
	return best
}

func fold(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }

// swapped tells whether a and b differ by one pair of neighbours.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i+1 < len(a); i++ {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}
