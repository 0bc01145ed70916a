package registry

import (
	"cmp"
	"strconv"
	"strings"
)

// version is a parsed semantic version. (A library's parser compiles regular
// expressions when a process starts; listing flavors cannot afford that.)
type version struct {
	core  [3]uint64
	pre   []string
	build string
}

// parseVersion accepts exactly MAJOR.MINOR.PATCH[-PRE][+BUILD] in lower case
// (directories of two versions must differ on file systems that fold case).
func parseVersion(s string) (version, bool) {
	var v version
	if s == "" || len(s) > maxVersion {
		return v, false
	}
	rest, build, hasBuild := strings.Cut(s, "+")
	if hasBuild && !identifiers(build, false) {
		return v, false
	}
	core, pre, hasPre := strings.Cut(rest, "-")
	if hasPre {
		if !identifiers(pre, true) {
			return v, false
		}
		v.pre = strings.Split(pre, ".")
	}
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return v, false
	}
	for i, p := range parts {
		n, ok := number(p)
		if !ok || (len(p) > 1 && p[0] == '0') {
			return v, false
		}
		v.core[i] = n
	}
	v.build = build
	return v, true
}

// identifiers checks a dotted list of [0-9a-z-]+; strict refuses leading zeros.
func identifiers(s string, strict bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			c := part[i]
			if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
				return false
			}
		}
		if _, ok := number(part); strict && ok && len(part) > 1 && part[0] == '0' {
			return false
		}
	}
	return true
}

func number(s string) (uint64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return n, err == nil
}

// compareVersions orders by precedence, then by build metadata so that the
// order is total. What is no version sorts first.
func compareVersions(a, b string) int {
	va, oka := parseVersion(a)
	vb, okb := parseVersion(b)
	switch {
	case !oka && !okb:
		return cmp.Compare(a, b)
	case !oka:
		return -1
	case !okb:
		return 1
	}
	for i := range va.core {
		if c := cmp.Compare(va.core[i], vb.core[i]); c != 0 {
			return c
		}
	}
	if c := comparePre(va.pre, vb.pre); c != 0 {
		return c
	}
	return cmp.Compare(va.build, vb.build)
}

// comparePre: a release is above its pre-releases; numbers below words.
func comparePre(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(b), len(a))
	}
	for i := range min(len(a), len(b)) {
		na, oka := number(a[i])
		nb, okb := number(b[i])
		var c int
		switch {
		case oka && okb:
			c = cmp.Compare(na, nb)
		case oka:
			c = -1
		case okb:
			c = 1
		default:
			c = cmp.Compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}
