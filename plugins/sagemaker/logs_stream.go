package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/stephost/stephost/pluginsdk"
)

// sourcesOf names the source of each stream. Streams are called JOB/algo-N-TIME,
// with N from 1; each start of a node has a stream of its own, and TIME orders
// them (the first part: see logGroup; that a restarted spot job gets new streams:
// assumption).
func sourcesOf(attempt int, names []string) map[string]pluginsdk.LogSource {
	form := regexp.MustCompile(`/algo-(\d+)-(\d+)`)
	type stream struct {
		name string
		time int64
	}
	nodes := map[int][]stream{}
	for _, name := range names {
		m := form.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		node, _ := strconv.Atoi(m[1])
		at, _ := strconv.ParseInt(m[2], 10, 64)
		nodes[node-1] = append(nodes[node-1], stream{name, at})
	}
	out := map[string]pluginsdk.LogSource{}
	for node, streams := range nodes {
		slices.SortFunc(streams, func(a, b stream) int {
			if a.time != b.time {
				return int(min(1, max(-1, a.time-b.time)))
			}
			return strings.Compare(a.name, b.name)
		})
		for epoch, s := range streams {
			out[s.name] = pluginsdk.LogSource{Attempt: attempt, Epoch: epoch, Node: node, Container: "algo", Stream: "stdout"}
		}
	}
	return out
}

// logStream is the place in one stream. CloudWatch's own tokens end after 24
// hours, so the cursor is the time of the last line, and how many of that
// millisecond were read.
type logStream struct {
	name   string
	source pluginsdk.LogSource
	token  string
	// last and count are the cursor; skip are lines of the millisecond begin that
	// were read before.
	last, begin int64
	count, skip int
	recent      []seenLine
}

// forgetEach is how many lines come between two looks for old ones.
const forgetEach = 1024

// seenLine is a line of the last lateWindow.
type seenLine struct {
	time int64
	text string
}

func newLogStream(name string, source pluginsdk.LogSource, cursor string) *logStream {
	s := &logStream{name: name, source: source}
	if at, n, ok := strings.Cut(cursor, "/"); ok {
		s.last, _ = strconv.ParseInt(at, 10, 64)
		s.count, _ = strconv.Atoi(n)
		s.begin, s.skip = s.last, s.count
	}
	return s
}

// from is a reading from a time on.
func (s *logStream) from(ms int64) *cloudwatchlogs.GetLogEventsInput {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(logGroup), LogStreamName: aws.String(s.name), StartFromHead: aws.Bool(true)}
	if ms > 0 {
		in.StartTime = aws.Int64(ms)
	}
	return in
}

// input is the next reading.
func (s *logStream) input() *cloudwatchlogs.GetLogEventsInput {
	if s.token == "" {
		return s.from(s.begin)
	}
	in := s.from(0)
	in.NextToken = aws.String(s.token)
	return in
}

// write writes lines in their order.
func (s *logStream) write(w *pluginsdk.LogWriter, events []logtypes.OutputLogEvent) (wrote bool, err error) {
	for _, e := range events {
		at, text := aws.ToInt64(e.Timestamp), aws.ToString(e.Message)
		if s.skip > 0 && at == s.begin {
			s.skip--
			s.keep(at, text)
			continue
		}
		s.skip = 0
		if at > s.last {
			s.last, s.count = at, 0
		}
		if at == s.last {
			s.count++
		}
		s.keep(at, text)
		if err := s.entry(w, at, text); err != nil {
			return wrote, err
		}
		wrote = true
	}
	return wrote, nil
}

func (s *logStream) entry(w *pluginsdk.LogWriter, at int64, text string) error {
	return w.Entry(s.source, pluginsdk.LogEntry{Time: time.UnixMilli(at), Data: []byte(text + "\n"), Cursor: fmt.Sprintf("%d/%d", s.last, s.count)})
}

// keep remembers a line while it is in the window.
func (s *logStream) keep(at int64, text string) {
	s.recent = append(s.recent, seenLine{at, text})
	old := s.last - lateWindow.Milliseconds()
	if s.recent[0].time < old && len(s.recent)%forgetEach == 0 {
		s.recent = slices.DeleteFunc(s.recent, func(l seenLine) bool { return l.time < old })
	}
}

// window counts the lines that were read.
func (s *logStream) window() map[seenLine]int {
	have := make(map[seenLine]int, len(s.recent))
	for _, l := range s.recent {
		have[l]++
	}
	return have
}

// writeLate writes the lines that were not read yet. Their own time says where
// they belong; the cursor stays.
func (s *logStream) writeLate(w *pluginsdk.LogWriter, events []logtypes.OutputLogEvent, have map[seenLine]int) error {
	for _, e := range events {
		l := seenLine{aws.ToInt64(e.Timestamp), aws.ToString(e.Message)}
		if have[l] > 0 {
			have[l]--
			continue
		}
		if l.time > s.last {
			s.last, s.count = l.time, 0
		}
		if l.time == s.last {
			s.count++
		}
		if err := s.entry(w, l.time, l.text); err != nil {
			return err
		}
	}
	return nil
}
