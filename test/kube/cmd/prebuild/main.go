// Command prebuild builds the Kubernetes of the tests into the user's cache
// directory. The tests do it too, but the first time takes minutes, and a test
// has a time limit.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stephost/stephost/test/kube"
)

func main() {
	if err := kube.Build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "prebuild:", err)
		os.Exit(1)
	}
}
