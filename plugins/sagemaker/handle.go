package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stephost/stephost/pluginsdk"
)

// handleData is the data of a handle, version 1.
type handleData struct {
	Job string `json:"job"`
	// Attempt names the sources of the log.
	Attempt int `json:"attempt"`
}

func handleOf(p place, name string, attempt int, existing bool) pluginsdk.Handle {
	data, _ := json.Marshal(handleData{Job: name, Attempt: attempt})
	return pluginsdk.Handle{Version: 1, Data: data, Existing: existing, NativeName: name, URL: p.url(name)}
}

// jobOf is the name of the job that a handle means.
func jobOf(h pluginsdk.Handle) (string, error) {
	data, err := readHandle(h)
	return data.Job, err
}

// readHandle is what a handle holds.
func readHandle(h pluginsdk.Handle) (handleData, error) {
	var data handleData
	if err := json.Unmarshal(h.Data, &data); err != nil {
		return data, fmt.Errorf("the handle is damaged: %w", err)
	}
	if data.Job == "" {
		return data, errors.New("the handle is damaged: it names no job")
	}
	return data, nil
}
