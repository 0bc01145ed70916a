package serve

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

const hang = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
