package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestDue: an application is left alone at first, and then asked at the pace that is
// wanted.
func TestDue(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		since, asked time.Time
		want         bool
	}{
		"it has just begun":          {since: now, want: false},
		"it runs for seconds":        {since: now.Add(-progressAfter / 2), want: false},
		"it runs for long":           {since: now.Add(-2 * progressAfter), want: true},
		"it was asked a moment ago":  {since: now.Add(-2 * progressAfter), asked: now, want: false},
		"it was asked some time ago": {since: now.Add(-2 * progressAfter), asked: now.Add(-2 * time.Hour), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := appSeen{asked: c.asked}
			assert.Equal(t, c.want, a.due(c.since, time.Hour))
			assert.False(t, a.due(c.since, time.Hour), "it was asked just now, or too early")
		})
	}
}

func TestScan(t *testing.T) {
	var a appSeen
	a.scan([]byte("INFO JettyUtils: Start Jetty 0.0.0.0:4040 for SparkUI\nINFO Utils: Successfully started service 'SparkUI' on port 4041.\n"+
		"INFO StandaloneSchedulerBackend: Connected to Spark cluster with app ID app-20261128173420-0000\n"), "worker1")
	assert.Equal(t, "app-20261128173420-0000", a.app)
	assert.Equal(t, "http://worker1:4041", a.ui)
	var yarn appSeen
	yarn.scan([]byte("INFO YarnClientImpl: Submitted application application_1234567890_0042\n"), "here")
	assert.Equal(t, "application_1234567890_0042", yarn.app)
}
