package project

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"time"
)

// sizePattern is a number with an optional unit. Exponents are left out: they
// are no way to write a size, and 1e999999999 is a gigabyte of digits.
var sizePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]{1,30}(?:\.[0-9]{1,30})?) ?([A-Za-z]*)$`)
})

// unitBytes is the size of a unit, 0 for an unknown one. "Gi" and "G" are
// Kubernetes' way to write GiB and GB.
func unitBytes(unit string) int64 {
	switch unit {
	case "", "B":
		return 1
	case "KiB", "Ki":
		return 1 << 10
	case "MiB", "Mi":
		return 1 << 20
	case "GiB", "Gi":
		return 1 << 30
	case "TiB", "Ti":
		return 1 << 40
	case "PiB", "Pi":
		return 1 << 50
	case "KB", "kB", "K", "k":
		return 1e3
	case "MB", "M":
		return 1e6
	case "GB", "G":
		return 1e9
	case "TB", "T":
		return 1e12
	case "PB", "P":
		return 1e15
	}
	return 0
}

// ParseSize reads bytes: "16GiB", "1.5 GiB", "16Gi", "500MB" or a plain number
// of bytes. The result is exact: a fraction of a byte is an error, as are zero,
// negative and unknown units (the lower-case "g" of some tools means 2^30 in
// one and 10^9 in the other).
func ParseSize(text string) (int64, error) {
	m := sizePattern().FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return 0, fmt.Errorf(`%s is not a size: write for example "16GiB", "500MB" or a number of bytes`, quote(text))
	}
	unit := unitBytes(m[2])
	if unit == 0 {
		return 0, fmt.Errorf("%s has an unknown unit %s%s: use KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB, TB (powers of 1000)",
			quote(text), quote(m[2]), unitHint(m[1], m[2]))
	}
	r, _ := new(big.Rat).SetString(m[1])
	r.Mul(r, new(big.Rat).SetInt64(unit))
	if !r.IsInt() {
		return 0, fmt.Errorf("%s is not a whole number of bytes", quote(text))
	}
	if r.Sign() <= 0 {
		return 0, fmt.Errorf("%s: must be more than 0", quote(text))
	}
	if !r.Num().IsInt64() {
		return 0, fmt.Errorf("%s is more than 8 EiB", quote(text))
	}
	return r.Num().Int64(), nil
}

func unitHint(number, unit string) string {
	switch strings.ToLower(unit) {
	case "g", "gb", "gi", "gib":
		return fmt.Sprintf(` (did you mean "%sGiB"?)`, number)
	case "m", "mb", "mi", "mib":
		return fmt.Sprintf(` (did you mean "%sMiB"?)`, number)
	case "t", "tb", "ti", "tib":
		return fmt.Sprintf(` (did you mean "%sTiB"?)`, number)
	case "kb", "ki", "kib":
		return fmt.Sprintf(` (did you mean "%sKiB"?)`, number)
	}
	return ""
}

// ParseCPU reads cores into thousandths: "4", "0.5", "500m". Less than a
// thousandth is an error, not rounded.
func ParseCPU(text string) (int64, error) {
	t := strings.TrimSpace(text)
	scale := int64(1000)
	if strings.HasSuffix(t, "m") {
		t, scale = strings.TrimSuffix(t, "m"), 1
	}
	m := sizePattern().FindStringSubmatch(t)
	if m == nil || m[2] != "" {
		return 0, fmt.Errorf(`%s is not a number of cores: write for example 4, 0.5 or "500m"`, quote(text))
	}
	r, _ := new(big.Rat).SetString(m[1])
	r.Mul(r, new(big.Rat).SetInt64(scale))
	if !r.IsInt() {
		return 0, fmt.Errorf("%s is not a whole number of thousandths of a core", quote(text))
	}
	if r.Sign() <= 0 {
		return 0, fmt.Errorf("%s: must be more than 0", quote(text))
	}
	if !r.Num().IsInt64() || r.Num().Int64() > math.MaxInt32 {
		return 0, fmt.Errorf("%s cores are more than any machine has", quote(text))
	}
	return r.Num().Int64(), nil
}

// ParseDuration reads a positive duration: "90s", "20m", "2h", "1h30m".
func ParseDuration(text string) (time.Duration, error) {
	t := strings.TrimSpace(text)
	d, err := time.ParseDuration(t)
	switch {
	case err != nil && isDigits(t):
		return 0, fmt.Errorf(`%s has no unit: write for example "%ss", "%sm" or "%sh"`, quote(text), t, t, t)
	case err != nil && strings.HasSuffix(t, "d") && isDigits(strings.TrimSuffix(t, "d")):
		return 0, fmt.Errorf(`%s: there is no unit for days, write hours: "24h" for a day`, quote(text))
	case err != nil:
		return 0, fmt.Errorf(`%s is not a duration: write for example "90s", "20m", "2h" or "1h30m"`, quote(text))
	case d <= 0:
		return 0, fmt.Errorf("%s: must be more than 0; leave it out for no limit", quote(text))
	}
	return d, nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && len(s) < 20
}

// quote quotes a value for a message, bounded.
func quote(text string) string {
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return fmt.Sprintf("%q", text)
}
