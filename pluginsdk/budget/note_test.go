package budget

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
)

func TestNote(t *testing.T) {
	b := New(300, 10*time.Second)
	require.NoError(t, b.Wait(t.Context()))
	err := b.Note("questions about jobs", "max_calls_per_minute")
	var e *pluginsdk.Error
	require.True(t, errors.As(err, &e))
	assert.True(t, e.Note)
	assert.Equal(t, []string{"config", "max_calls_per_minute"}, e.Attribute)
	assert.Equal(t, "questions about jobs: at most 300 calls a minute (max_calls_per_minute); 49 of the 50 that may be made at once are left", e.Summary)
}
