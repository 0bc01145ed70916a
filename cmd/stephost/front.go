//go:build front && unix

package main

import _ "github.com/stephost/stephost/cmd/stephost/internal/handover/early"
