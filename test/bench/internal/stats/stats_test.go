package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestQuantile(t *testing.T) {
	for _, tc := range []struct {
		name   string
		sample Sample
		q      float64
		want   float64
	}{
		{"one", Sample{7}, 0.9, 7},
		{"middle of three", Sample{3, 1, 2}, 0.5, 2},
		{"middle of four", Sample{4, 1, 3, 2}, 0.5, 2.5},
		{"least", Sample{4, 1, 3}, 0, 1},
		{"most", Sample{4, 1, 3}, 1, 4},
		{"out of range", Sample{4, 1, 3}, 7, 4},
		{"between", Sample{0, 10}, 0.1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.InDelta(t, tc.want, tc.sample.Quantile(tc.q), 1e-9)
		})
	}
	assert.True(t, math.IsNaN(Sample{}.Median()))
	given := Sample{3, 1, 2}
	given.Median()
	assert.Equal(t, Sample{3, 1, 2}, given, "the order of measurement stays")
}

func TestPairs(t *testing.T) {
	assert.Equal(t, Sample{1, 2}, Differences(Sample{2, 4, 9}, Sample{1, 2}))
	assert.Equal(t, Sample{2, 2}, Ratios(Sample{2, 4}, Sample{1, 2}))
	assert.Empty(t, Differences(nil, Sample{1}))
}
