package launch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/runs"
)

func TestResubmittable(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		sub  manifest.Submission
		ago  time.Duration
		want bool
	}{
		{"key that lives for ever", manifest.Submission{Idempotency: "key", KeyLives: "forever"}, 1000 * time.Hour, true},
		{"key that lives with the object", manifest.Submission{Idempotency: "key", KeyLives: "while_exists", Keeps: time.Hour}, time.Minute, true},
		{"the object may be gone", manifest.Submission{Idempotency: "key", KeyLives: "while_exists", Keeps: time.Hour}, time.Hour, false},
		{"nothing is kept", manifest.Submission{Idempotency: "key", KeyLives: "while_exists"}, 0, false},
		{"key that ends with the job", manifest.Submission{Idempotency: "key", KeyLives: "while_running", Keeps: time.Hour}, 0, false},
		{"search", manifest.Submission{Idempotency: "search", Keeps: time.Hour}, 0, false},
		{"none", manifest.Submission{Idempotency: "none", Keeps: time.Hour}, 0, false},
		{"nothing declared", manifest.Submission{}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, resubmittable(tc.sub, &runs.Attempt{SubmittingAt: now.Add(-tc.ago)}, now))
		})
	}
}
