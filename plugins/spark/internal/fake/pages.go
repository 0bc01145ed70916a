//go:build unix

package fake

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stephost/stephost/test/cloudfake"
)

// defaultBytes is what a log page shows when nothing is said.
const defaultBytes = 100 << 10

// pages is the master's web UI.
func (m *master) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /json/", func(w http.ResponseWriter, r *http.Request) {
		m.plan.Serve(w, r, nil, "master-ui", nil, pageFault, m.masterState)
	})
	return mux
}

func (m *master) masterState(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	active, completed := []map[string]any{}, []map[string]any{}
	for _, d := range m.drivers {
		one := map[string]any{"id": d.id, "starttime": strconv.FormatInt(d.created.UnixMilli(), 10), "state": d.state, "cores": 1, "memory": 1024,
			"submitdate": d.created.Format("Mon Jan 02 15:04:05 MST 2006"), "worker": "None", "mainclass": d.request.MainClass}
		if d.placed {
			one["worker"] = m.worker.id
		}
		switch {
		case d.forgotten:
		case d.ended():
			completed = append(completed, one)
		default:
			active = append(active, one)
		}
	}
	host, port, _ := strings.Cut(m.worker.address, ":")
	answer(w, http.StatusOK, map[string]any{
		"url": "spark://127.0.0.1:7077", "status": m.state, "aliveworkers": 1, "activeapps": []string{}, "completedapps": []string{},
		"workers":       []map[string]any{{"id": m.worker.id, "host": host, "port": port, "webuiaddress": "http://" + m.worker.address, "state": m.worker.state}},
		"activedrivers": active, "completeddrivers": completed,
	})
}

// workerPages is the worker's web UI.
func (m *master) workerPages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /json/", func(w http.ResponseWriter, r *http.Request) {
		m.plan.Serve(w, r, nil, "worker-ui", nil, pageFault, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, map[string]any{"id": m.worker.id, "executors": []string{}, "finishedexecutors": []string{}})
		})
	})
	mux.HandleFunc("GET /log/", func(w http.ResponseWriter, r *http.Request) {
		m.plan.Serve(w, r, nil, "log", []string{r.FormValue("driverId")}, pageFault, m.log)
	})
	return mux
}

func pageFault(w http.ResponseWriter, _ cloudfake.Fault) {
	http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
}

// log shows a part of a stream.
func (m *master) log(w http.ResponseWriter, r *http.Request) {
	dir, stream := filepath.Join(m.worker.dir, filepath.Base(r.FormValue("driverId")))+"/", r.FormValue("logType")
	if stream != "stdout" && stream != "stderr" {
		fmt.Fprintf(w, "==== Bytes 0-0 of 0 of %s%s ====\nError: Log type must be one of stderr, stdout", dir, stream)
		return
	}
	var total int64
	f, err := os.Open(dir + stream)
	if err == nil {
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			total = info.Size()
		}
	}
	length, err := strconv.ParseInt(r.FormValue("byteLength"), 10, 64)
	if err != nil {
		length = defaultBytes
	}
	start, err := strconv.ParseInt(r.FormValue("offset"), 10, 64)
	if err != nil {
		start = total - length
	}
	start = min(max(start, 0), total)
	end := min(start+length, total)
	fmt.Fprintf(w, "==== Bytes %d-%d of %d of %s%s ====\n", start, end, total, dir, stream)
	if f != nil {
		data, _ := io.ReadAll(io.NewSectionReader(f, start, end-start))
		_, _ = io.WriteString(w, string([]rune(string(data)))) // a caller that went away needs no answer
	}
}
