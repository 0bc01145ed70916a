package cli_test

import (
	"testing"

	"go.uber.org/goleak"
)

// What a command started has ended when Main returns.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
