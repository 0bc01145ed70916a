package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of Cloud Logging.
const (
	maxEntries = 1000
	// takeLines is how many lines are taken from a process at once.
	takeLines = 10000
	// lateEvery: with LogsShuffled every such line comes late.
	lateEvery = 7
	lateBy    = 700 * time.Millisecond
)

// entry is one line.
type entry struct {
	nanos    int64
	received int64
	id       string
	task     string
	stderr   bool
	text     string
}

// jobLog holds the entries of a job, sorted by time and insert ID.
type jobLog struct {
	mu      sync.Mutex
	entries []entry
	taken   map[string]int // lines of each node
}

// logService is logging.v2.
type logService struct {
	loggingpb.UnimplementedLoggingServiceV2Server
	s *server
}

// ListLogEntries answers a query about the log of a job.
func (l *logService) ListLogEntries(_ context.Context, r *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	if len(r.GetResourceNames()) != 1 || r.GetResourceNames()[0] != "projects/"+l.s.project() {
		return nil, status.Error(codes.PermissionDenied, "Permission denied for all log views")
	}
	if r.GetPageSize() > maxEntries {
		return nil, status.Error(codes.InvalidArgument, "page_size must not exceed 1000")
	}
	match, err := compile(r.GetFilter(), true)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	id := jobIDOf(r.GetFilter())
	j := l.s.jobs.byID(id)
	if j == nil {
		return &loggingpb.ListLogEntriesResponse{}, nil
	}
	if err := l.s.jobs.take(j); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	size := int(r.GetPageSize())
	if size == 0 {
		size = 50
	}
	return j.log.page(l.s.project(), id, match, r.GetPageToken(), size), nil
}

// jobIDOf reads the job of a query: it is always about one.
func jobIDOf(filter string) string {
	_, rest, _ := strings.Cut(filter, `resource.labels.job_id="`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func (js *jobs) byID(id string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	for name, j := range js.by {
		if strings.HasSuffix(name, "/"+id) {
			return j
		}
	}
	return nil
}

// take turns new lines of the containers into entries.
func (js *jobs) take(j *job) error {
	js.mu.Lock()
	nodes := append([]*node{}, j.nodes...)
	js.mu.Unlock()
	l := j.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken == nil {
		l.taken = map[string]int{}
	}
	had := len(l.entries)
	for _, n := range nodes {
		for {
			lines, err := n.process.Lines(l.taken[n.task()], takeLines)
			if err != nil {
				return err
			}
			for _, line := range lines {
				late := ms(j.life.LogsLateMS)
				if j.life.LogsShuffled && line.Index%lateEvery == lateEvery-1 {
					late += lateBy
				}
				l.entries = append(l.entries, entry{
					nanos: line.Time.UnixNano(), received: line.Time.Add(late).UnixNano(), task: n.task(),
					id: fmt.Sprintf("%s%012d", n.task(), line.Index), stderr: line.Stream == "stderr", text: strings.ToValidUTF8(string(line.Data), "\uFFFD"),
				})
			}
			l.taken[n.task()] += len(lines)
			if len(lines) < takeLines {
				break
			}
		}
	}
	if len(nodes) > 1 && len(l.entries) > had {
		sort.SliceStable(l.entries, func(a, b int) bool { return l.entries[a].before(&l.entries[b]) })
	}
	return nil
}

func (e *entry) before(f *entry) bool {
	if e.nanos != f.nanos {
		return e.nanos < f.nanos
	}
	return e.id < f.id
}

// page gives the entries behind a page token that match and have been received.
func (l *jobLog) page(project, id string, match matcher, token string, size int) *loggingpb.ListLogEntriesResponse {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UnixNano()
	from := 0
	if token != "" {
		nanos, last, _ := strings.Cut(token, "/")
		after := entry{id: last}
		after.nanos, _ = strconv.ParseInt(nanos, 10, 64)
		from = sort.Search(len(l.entries), func(i int) bool { return after.before(&l.entries[i]) })
	}
	out := &loggingpb.ListLogEntriesResponse{}
	var e *entry
	field := func(name string) (string, bool) { return e.field(name, id) }
	for i := from; i < len(l.entries); i++ {
		e = &l.entries[i]
		if e.received > now || !match(field) {
			continue
		}
		if len(out.Entries) == size {
			last := l.entries[i-1]
			out.NextPageToken = strconv.FormatInt(last.nanos, 10) + "/" + last.id
			return out
		}
		out.Entries = append(out.Entries, e.message(project, id))
	}
	return out
}

func (e *entry) field(name, id string) (string, bool) {
	switch name {
	case "resource.type":
		return "ml_job", true
	case "resource.labels.job_id":
		return id, true
	case "resource.labels.task_name":
		return e.task, true
	case "timestamp":
		return strconv.FormatInt(e.nanos, 10), true
	case "receiveTimestamp":
		return strconv.FormatInt(e.received, 10), true
	}
	return "", false
}

func (e *entry) message(project, id string) *loggingpb.LogEntry {
	severity := logtype.LogSeverity_INFO
	if e.stderr {
		severity = logtype.LogSeverity_ERROR
	}
	return &loggingpb.LogEntry{
		LogName: "projects/" + project + "/logs/" + e.task, InsertId: e.id, Severity: severity,
		Timestamp: timestamppb.New(time.Unix(0, e.nanos)), ReceiveTimestamp: timestamppb.New(time.Unix(0, e.received)),
		Resource: &monitoredres.MonitoredResource{Type: "ml_job", Labels: map[string]string{"job_id": id, "task_name": e.task}},
		Payload:  &loggingpb.LogEntry_JsonPayload{JsonPayload: payload(e.text)},
	}
}

// payload is the line as the agent sends it.
func payload(text string) *structpb.Struct {
	if strings.HasPrefix(text, "{") {
		var object map[string]any
		if json.Unmarshal([]byte(text), &object) == nil {
			if s, err := structpb.NewStruct(object); err == nil {
				return s
			}
		}
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{"message": structpb.NewStringValue(text)}}
}
