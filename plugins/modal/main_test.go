package main

import (
	"testing"

	"github.com/stephost/stephost/test/cloudfake/cloudtest"
)

// programs are the fake and what stands for the shim of an image.
var programs cloudtest.Programs

func TestMain(m *testing.M) { cloudtest.Main(m, &programs, "modal") }
