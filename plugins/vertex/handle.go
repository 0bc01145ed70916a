package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"github.com/stephost/stephost/pluginsdk"
)

// handleData is the data of a handle, version 1.
type handleData struct {
	// Job is the resource name: projects/NUMBER/locations/REGION/customJobs/ID.
	Job string `json:"job"`
	Key string `json:"key"`
	// Created bounds lists from below.
	Created time.Time `json:"created"`
	// Nodes are the worker pools' replicas: each writes a log of its own.
	Nodes int `json:"nodes"`
	// Marker is the bucket and object of the key's marker, or "".
	Bucket string `json:"bucket,omitempty"`
	Marker string `json:"marker,omitempty"`
	Token  string `json:"token,omitempty"` // the object that lists the key by its token
	// Attempt names the sources of the log.
	Attempt int `json:"attempt"`
}

// id is the last part of the job's name, which its log entries carry.
func (d handleData) id() string { return d.Job[strings.LastIndexByte(d.Job, '/')+1:] }

func (c Config) handleOf(project string, job *aiplatformpb.CustomJob, existing bool) pluginsdk.Handle {
	d := handleData{Job: job.GetName(), Key: job.GetLabels()[labelKey], Created: job.GetCreateTime().AsTime(), Attempt: attemptOf(job)}
	for _, pool := range job.GetJobSpec().GetWorkerPoolSpecs() {
		d.Nodes += int(pool.GetReplicaCount())
	}
	if bucket, _ := c.bucket(); bucket != "" {
		d.Bucket, d.Marker = bucket, c.marker(d.Key)
		d.Token = c.tokenMarker(job.GetLabels()[labelToken], d.Key)
	}
	data, _ := json.Marshal(d)
	return pluginsdk.Handle{
		Version: 1, Data: data, Key: d.Key, Existing: existing,
		NativeName: d.Job, URL: console(project, c.Region, d.id()),
	}
}

func readHandle(h pluginsdk.Handle) (handleData, error) {
	var d handleData
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return d, fmt.Errorf("the handle is damaged: %w", err)
	}
	if d.Job == "" {
		return d, fmt.Errorf("the handle names no job")
	}
	return d, nil
}

// console is the page of a job.
func console(project, region, id string) string {
	return "https://console.cloud.google.com/vertex-ai/locations/" + region + "/training/" + id + "?project=" + url.QueryEscape(project)
}
