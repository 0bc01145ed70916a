// Command fake-azureml is the fake of package fake as a process of its own.
package main

import (
	"context"
	"flag"
	"time"

	"github.com/stephost/stephost/plugins/azureml/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

func main() {
	shim := flag.String("shim", "", "program that stands for the init process of built images")
	grace := flag.Duration("grace", 500*time.Millisecond, "time between SIGTERM and SIGKILL")
	step := flag.Duration("step", 5*time.Millisecond, "time of each state before the start")
	cloudfake.Main(func(_ context.Context, dir string) (*cloudfake.Service, error) {
		return fake.New(fake.Options{Dir: dir, Shim: *shim, Grace: *grace, Step: *step}).Service(), nil
	})
}
