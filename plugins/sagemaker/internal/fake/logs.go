package fake

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	logGroup = "/aws/sagemaker/TrainingJobs"
	// maxEvents and maxBytes bound one answer of GetLogEvents.
	maxEvents = 10_000
	maxBytes  = 1 << 20
	// eventOverhead is counted per event.
	eventOverhead = 26
	// shuffledMS is how much later than others every fifth line arrives.
	shuffledMS = 250
)

var noGroup = &apiError{http.StatusBadRequest, "ResourceNotFoundException", "The specified log stream does not exist."}

func (s *Server) describeLogStreams(region string, in []byte) (any, error) {
	r, err := read[struct{ LogGroupName, LogStreamNamePrefix, NextToken string }](in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []map[string]any
	some := false
	for _, j := range s.all {
		if j.account != s.account || j.region != region {
			continue
		}
		some = some || len(j.nodes) > 0
		for _, n := range j.nodes {
			if strings.HasPrefix(n.stream, r.LogStreamNamePrefix) {
				list = append(list, map[string]any{"logStreamName": n.stream})
			}
		}
	}
	if r.LogGroupName != logGroup || !some {
		return nil, &apiError{http.StatusBadRequest, "ResourceNotFoundException", "The specified log group does not exist."}
	}
	const most = 3 // small pages: every caller must go on
	out, next := page(list, r.NextToken, most)
	answer := map[string]any{"logStreams": append([]map[string]any{}, out...)}
	if next != "" {
		answer["nextToken"] = next
	}
	return answer, nil
}

// getLogEvents gives lines in the order in which they were printed, which is that
// of their times. A token is the index of the last line.
func (s *Server) getLogEvents(region string, in []byte) (any, error) {
	r, err := read[struct {
		LogGroupName, LogStreamName, NextToken string
		StartTime                              int64
		Limit                                  int
	}](in)
	if err != nil {
		return nil, err
	}
	j, n := s.stream(region, r.LogStreamName)
	if n == nil {
		return nil, noGroup
	}
	index := -1
	switch {
	case r.NextToken != "":
		if _, err := fmt.Sscanf(r.NextToken, "f/%d", &index); err != nil {
			return nil, &apiError{http.StatusBadRequest, "InvalidParameterException", "The specified nextToken is invalid."}
		}
	case r.StartTime > 0:
		index = n.process.Since(time.UnixMilli(r.StartTime)) - 1
	}
	limit := maxEvents
	if r.Limit > 0 {
		limit = min(limit, r.Limit)
	}
	lines, err := n.process.Lines(index+1, limit)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	size := 0
	now := time.Now()
	for _, l := range lines {
		arrives := l.Time.Add(millis(j.life.LogsLateMS))
		if now.Before(arrives) {
			break
		}
		if j.life.LogsShuffled && l.Index%5 == 2 && now.Before(arrives.Add(millis(shuffledMS))) {
			continue // it comes behind the next ones, and their token passes it
		}
		text := strings.ToValidUTF8(string(l.Data), "\uFFFD")
		if size += len(text) + eventOverhead; len(out) > 0 && size > maxBytes {
			break
		}
		out = append(out, map[string]any{"timestamp": l.Time.UnixMilli(), "message": text, "ingestionTime": now.UnixMilli()})
		index = l.Index
	}
	return map[string]any{"events": out, "nextForwardToken": fmt.Sprintf("f/%d", index), "nextBackwardToken": fmt.Sprintf("b/%d", index)}, nil
}

func (s *Server) stream(region, name string) (*job, *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.all {
		if j.account != s.account || j.region != region || !strings.HasPrefix(name, j.name+"/") {
			continue
		}
		for _, n := range j.nodes {
			if n.stream == name {
				return j, n
			}
		}
	}
	return nil, nil
}
