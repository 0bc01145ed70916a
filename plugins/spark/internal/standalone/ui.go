package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Master is what the web UI of a master tells.
type Master struct {
	URL     string   `json:"url"`
	Status  string   `json:"status"`
	Workers []Worker `json:"workers"`
	Active  []App    `json:"activeapps"`
}

// Worker is one of a master's workers.
type Worker struct {
	ID    string `json:"id"`
	UI    string `json:"webuiaddress"`
	State string `json:"state"`
}

// App is an application that the master has.
type App struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// Master asks the UIs of a cluster's masters; the one that is in charge counts.
func (c *Client) Master(ctx context.Context, uis []string) (Master, error) {
	var errs []error
	for _, ui := range uis {
		data, err := c.Get(ctx, ui+"/json/")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var m Master
		if err := json.Unmarshal(data, &m); err != nil {
			errs = append(errs, fmt.Errorf("%s is no web UI of a Spark master: %w", ui, err))
			continue
		}
		if m.Status == "ALIVE" {
			return m, nil
		}
		errs = append(errs, fmt.Errorf("the master of %s is %s", ui, m.Status))
	}
	return Master{}, errors.Join(errs...)
}

// Has tells whether the application is there still.
func (m Master) Has(app string) bool {
	for _, a := range m.Active {
		if a.ID == app {
			return true
		}
	}
	return false
}

// Executors counts the executors of an application, as the living workers tell.
// What a dead worker ran ends with it, or with its connection to the driver.
func (c *Client) Executors(ctx context.Context, m Master, app string) (int, error) {
	n := 0
	for _, w := range m.Workers {
		if w.State != "ALIVE" {
			continue
		}
		data, err := c.Get(ctx, strings.TrimRight(w.UI, "/")+"/json/")
		if err != nil {
			return 0, err
		}
		var told struct {
			Executors []struct {
				AppID string `json:"appid"`
			} `json:"executors"`
		}
		if err := json.Unmarshal(data, &told); err != nil {
			return 0, fmt.Errorf("%s is no web UI of a Spark worker: %w", w.UI, err)
		}
		for _, e := range told.Executors {
			if e.AppID == app {
				n++
			}
		}
	}
	return n, nil
}

// Chunk is a part of what a driver printed.
type Chunk struct {
	Start, End, Total int64
	Text              []byte
}

// Log reads up to most bytes of a driver's stream from offset on, from the UI of
// the worker that runs it, or ran it.
func (c *Client) Log(ctx context.Context, workerUI, driver, stream string, offset, most int64) (Chunk, error) {
	q := url.Values{"driverId": {driver}, "logType": {stream},
		"offset": {strconv.FormatInt(offset, 10)}, "byteLength": {strconv.FormatInt(most, 10)}}
	data, err := c.Get(ctx, strings.TrimRight(workerUI, "/")+"/log/?"+q.Encode())
	if err != nil {
		return Chunk{}, err
	}
	return parseLog(data)
}

// parseLog takes the first line off: "==== Bytes 0-10 of 100 of /path ====".
func parseLog(data []byte) (Chunk, error) {
	head, text, _ := strings.Cut(string(data), "\n")
	var c Chunk
	if _, err := fmt.Sscanf(head, "==== Bytes %d-%d of %d of ", &c.Start, &c.End, &c.Total); err != nil {
		return Chunk{}, fmt.Errorf("the worker shows no log: %.200s", head)
	}
	c.Text = []byte(text)
	return c, nil
}
