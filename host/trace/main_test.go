package trace_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Export leaves no connection behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
