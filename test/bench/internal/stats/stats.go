package stats

import (
	"math"
	"slices"
)

// Sample is a set of measurements in one unit.
type Sample []float64

// Quantile is the value below which the part q of the sample lies (0 <= q <=
// 1), interpolated; NaN for an empty sample.
func (s Sample) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := min(max(q, 0), 1) * float64(len(sorted)-1)
	low := int(at)
	if low == len(sorted)-1 {
		return sorted[low]
	}
	part := at - float64(low)
	return sorted[low]*(1-part) + sorted[low+1]*part
}

// Median is the middle.
func (s Sample) Median() float64 { return s.Quantile(0.5) }

// Spread is the 10th and the 90th percentile.
func (s Sample) Spread() (p10, p90 float64) { return s.Quantile(0.1), s.Quantile(0.9) }

// Pairs applies f to each pair of a and b; the longer one is cut.
func Pairs(a, b Sample, f func(a, b float64) float64) Sample {
	out := make(Sample, 0, min(len(a), len(b)))
	for i := range min(len(a), len(b)) {
		out = append(out, f(a[i], b[i]))
	}
	return out
}

// Differences is a - b, pair by pair.
func Differences(a, b Sample) Sample {
	return Pairs(a, b, func(a, b float64) float64 { return a - b })
}

// Ratios is a / b, pair by pair.
func Ratios(a, b Sample) Sample {
	return Pairs(a, b, func(a, b float64) float64 { return a / b })
}
