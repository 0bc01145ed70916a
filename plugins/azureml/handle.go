package main

import (
	"encoding/json"
	"errors"
	"fmt"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// handleData is the data of a handle, version 1.
type handleData struct {
	Job string `json:"job"`
	// Nodes: each writes a log of its own.
	Nodes   int `json:"nodes"`
	Attempt int `json:"attempt"`
}

func (c Config) handleOf(job *ml.JobBase, existing bool) pluginsdk.Handle {
	d := handleData{Job: text(job.Name), Nodes: 1, Attempt: attemptOf(job)}
	if command, ok := job.Properties.(*ml.CommandJob); ok && command.Resources != nil && command.Resources.InstanceCount != nil {
		d.Nodes = max(1, int(*command.Resources.InstanceCount))
	}
	data, _ := json.Marshal(d) // strings and numbers
	return pluginsdk.Handle{Version: 1, Data: data, Key: propertiesOf(job)[propKey], Existing: existing, NativeName: d.Job, URL: c.studio(d.Job)}
}

// readHandle is the job that a handle means.
func readHandle(h pluginsdk.Handle) (handleData, error) {
	var d handleData
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return d, fmt.Errorf("the handle is damaged: %w", err)
	}
	if d.Job == "" {
		return d, errors.New("the handle names no job")
	}
	return d, nil
}
