package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// handleData is the data of a handle, version 1.
type handleData struct {
	Sandbox string `json:"sandbox"`
	App     string `json:"app"`
	// AppName and Environment name the app for lookups by name.
	AppName     string `json:"app_name"`
	Environment string `json:"environment"`
	Key         string `json:"key"`
	// Attempt names the sources of the log.
	Attempt int `json:"attempt"`
	// Created is the backend's time, or this machine's where it has not told one;
	// it bounds what is read of stored logs.
	Created time.Time `json:"created"`
	// Outputs is the volume of the outputs, or "".
	Outputs string `json:"outputs,omitempty"`
}

// Lengths of a sandbox's ID on the older backend, as the SDK tells them apart
// (getSandboxVersion in sandbox.go): "sb-" and 22 letters and digits. Everything
// else is on the newer one.
const (
	idPrefix = "sb-"
	oldID    = 22
)

// newer tells whether the sandbox is on the newer backend.
func (d handleData) newer() bool { return newer(d.Sandbox) }

func newer(id string) bool {
	rest, ok := strings.CutPrefix(id, idPrefix)
	if !ok || len(rest) != oldID {
		return true
	}
	return strings.ContainsFunc(rest, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func (d handleData) handle(existing bool) pluginsdk.Handle {
	data, _ := json.Marshal(d)
	return pluginsdk.Handle{Version: 1, Data: data, Key: d.Key, Existing: existing, NativeName: d.Sandbox, URL: dashboard(d.Sandbox)}
}

// dashboard is the page of a sandbox: Modal leads from an ID to the right
// workspace (assumption).
func dashboard(sandbox string) string { return "https://modal.com/id/" + sandbox }

func readHandle(h pluginsdk.Handle) (handleData, error) {
	var d handleData
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return d, fmt.Errorf("the handle is damaged: %w", err)
	}
	if d.Sandbox == "" {
		return d, fmt.Errorf("the handle names no sandbox")
	}
	return d, nil
}
