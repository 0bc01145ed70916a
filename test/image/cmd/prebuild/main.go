// Command prebuild builds the servers of the image tests that Debian has not into the
// user's cache directory. The tests do it too, but the first time takes minutes,
// and a test has a time limit.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stephost/stephost/test/image"
)

func main() {
	if err := image.Build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "prebuild:", err)
		os.Exit(1)
	}
}
