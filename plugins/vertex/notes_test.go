package main

import "testing"

// Doctor shows how many calls an operator may make.
func TestDoctorShowsTheBudget(t *testing.T) { newHarness(t, true).CheckNotes("testdata/doctor.golden") }
