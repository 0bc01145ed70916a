package requirements

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "build-for-test" {
		os.Exit(buildForTest(os.Args[2], os.Args[3]))
	}
	if len(os.Args) > 2 && os.Args[1] == "target-for-test" {
		os.Exit(targetForTest(os.Args[2], os.Args[3]))
	}
	goleak.VerifyTestMain(m)
}
