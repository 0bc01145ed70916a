package main

import (
	"testing"

	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// programs are the fake and what stands for the shim of an image.
var programs cloudtest.Programs

func TestMain(m *testing.M) {
	// A client that a cache still holds has idle connections.
	cloudtest.Main(m, &programs, "azureml", cloudtest.IdleConnections()...)
}
