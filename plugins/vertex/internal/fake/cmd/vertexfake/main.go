// Command vertexfake is a process of package fake, for tests and for trying the
// flavor without a cloud:
//
//	vertexfake -listen 127.0.0.1:0 -dir DIRECTORY
//
// VERTEXFAKE_SHIM names the program that stands for /.stephost/init of an image.
package main

import (
	"os"

	"github.com/stephost/stephost/plugins/vertex/internal/fake"
	"github.com/stephost/stephost/test/cloudfake"
)

func main() { cloudfake.Main(fake.Open(os.Getenv("VERTEXFAKE_SHIM"))) }
