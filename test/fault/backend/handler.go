package backend

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/test/fault/wire"
)

func (b *Backend) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", b.weather("create", b.serveCreate))
	mux.HandleFunc("GET /jobs", b.weather("list", b.serveList))
	mux.HandleFunc("GET /jobs/{id}", b.weather("get", b.serveGet))
	mux.HandleFunc("DELETE /jobs/{id}", b.weather("delete", b.serveDelete))
	mux.HandleFunc("POST /jobs/{id}/cancel", b.weather("cancel", b.serveCancel))
	mux.HandleFunc("GET /jobs/{id}/logs", b.weather("logs", b.serveLogs))
	mux.HandleFunc("GET /jobs/{id}/outputs", b.weather("outputs", b.serveOutputs))
	mux.HandleFunc("GET /jobs/{id}/output", b.weather("output", b.serveOutput))
	mux.HandleFunc("POST /batch", b.weather("batch", b.serveBatch))
	mux.HandleFunc("GET /account", b.weather("account", b.serveAccount))
	mux.HandleFunc("POST /admin/rules", b.serveRule)
	mux.HandleFunc("POST /admin/weather", b.serveWeather)
	mux.HandleFunc("GET /admin/jobs", b.serveAll)
	mux.HandleFunc("DELETE /admin/jobs/{id}", b.serveDeleteBehind)
	mux.HandleFunc("GET /admin/stats", b.serveStats)
	mux.HandleFunc("GET /admin/projects", b.serveProjects)
	return mux
}

// weather counts a call and lets what befalls the whole backend befall it.
func (b *Backend) weather(name string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.stats[name]++
		b.countProject(name, r)
		now := time.Now()
		unreachable, throttled := now.Before(b.unreachable), now.Before(b.throttled)
		unauthorized, retryAfter := b.unauthorized, b.retryAfter
		b.mu.Unlock()
		switch {
		case unreachable:
			drop()
		case unauthorized:
			fail(w, http.StatusUnauthorized, wire.CodeUnauthorized, "the credentials have expired")
		case throttled:
			w.Header().Set(wire.HeaderRetryMS, strconv.FormatInt(retryAfter.Milliseconds(), 10))
			fail(w, http.StatusTooManyRequests, wire.CodeThrottled, "too many calls")
		default:
			next(w, r)
		}
	}
}

// countProject counts a call on behalf of a project; b.mu is held.
func (b *Backend) countProject(name string, r *http.Request) {
	given := r.Header.Values(wire.HeaderProject)
	if len(given) == 0 {
		return
	}
	project, err := url.QueryUnescape(given[0])
	if err != nil {
		project = given[0]
	}
	if b.projects[project] == nil {
		b.projects[project] = wire.Stats{}
	}
	b.projects[project][name]++
}

// drop closes the connection without an answer.
func drop() { panic(http.ErrAbortHandler) }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that went away needs no answer
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, wire.APIError{Code: code, Message: message})
}

func (b *Backend) serveCreate(w http.ResponseWriter, r *http.Request) {
	var req wire.JobRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, err.Error())
		return
	}
	if (!req.Noop && len(req.Argv) == 0) || strings.ContainsAny(req.Name, "/\\\x00") {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, "a job needs argv and a plain name")
		return
	}
	f := b.faultsFor(req)
	key := req.Labels[wire.LabelKey]
	// First, so that a later request of the same job may meet another fault.
	if f.LandsAfterMS > 0 && b.spend("lands", key, 1) {
		b.after(ms(f.LandsAfterMS), func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if req.Name == "" || b.find(req.Name) == nil {
				_, _ = b.create(req, f, false)
			}
		})
		drop()
	}
	switch {
	case b.spend("throttled", key, f.SubmitThrottled):
		w.Header().Set(wire.HeaderRetryMS, "50")
		fail(w, http.StatusTooManyRequests, wire.CodeThrottled, "too many calls")
		return
	case b.spend("capacity", key, f.SubmitCapacity):
		fail(w, http.StatusInsufficientStorage, wire.CodeCapacity, "no machine of this kind is free")
		return
	case b.spend("error", key, f.SubmitError):
		fail(w, http.StatusInternalServerError, wire.CodeInternal, "internal error")
		return
	}
	if f.KillPlugin == "before" && b.spend("kill", key, 1) {
		killCaller(r)
		drop()
	}
	half := b.spend("half", key, f.HalfMade)
	status, job, err := b.createOrFind(req, f, half)
	if err != nil {
		fail(w, http.StatusInternalServerError, wire.CodeInternal, err.Error())
		return
	}
	if half || b.spend("lost", key, f.ReplyLost) {
		drop()
	}
	if f.KillPlugin == "after" && b.spend("kill", key, 1) {
		killCaller(r)
		drop()
	}
	if f.SubmitDelayMS > 0 {
		select {
		case <-time.After(ms(f.SubmitDelayMS)):
		case <-r.Context().Done():
		}
	}
	if status == http.StatusConflict {
		answer(w, status, wire.APIError{Code: wire.CodeExists, Message: "the name is in use", Job: &job})
		return
	}
	answer(w, status, job)
}

// createOrFind makes the job, or finishes or returns the one that has the name.
func (b *Backend) createOrFind(req wire.JobRequest, f wire.Faults, half bool) (int, wire.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if req.Name != "" {
		if j := b.find(req.Name); j != nil {
			if j.Incomplete && !half && j.request.Digest == req.Digest {
				b.start(j)
				return http.StatusCreated, j.Job, nil
			}
			return http.StatusConflict, j.Job, nil
		}
	}
	j, err := b.create(req, f, half)
	if err != nil {
		return 0, wire.Job{}, err
	}
	return http.StatusCreated, j.Job, nil
}

func killCaller(r *http.Request) {
	if pid, err := strconv.Atoi(r.Header.Get(wire.HeaderPID)); err == nil && pid > 1 {
		killProcess(pid)
	}
}

// job runs f with the job of the path, or answers 404.
func (b *Backend) job(w http.ResponseWriter, r *http.Request, f func(j *job)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := b.find(r.PathValue("id")); j != nil {
		f(j)
		return
	}
	fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such job in account "+b.account)
}

func (b *Backend) serveGet(w http.ResponseWriter, r *http.Request) {
	b.job(w, r, func(j *job) { answer(w, http.StatusOK, j.Job) })
}

func (b *Backend) serveList(w http.ResponseWriter, r *http.Request) {
	label, value := r.URL.Query().Get("label"), r.URL.Query().Get("value")
	list := []wire.Job{}
	b.mu.Lock()
	for _, j := range b.all {
		listed := time.Since(j.Created) >= ms(j.faults.ListedAfterMS)
		if !j.Deleted && j.account == b.account && listed && j.Labels[label] == value {
			list = append(list, j.Job)
		}
	}
	b.mu.Unlock()
	answer(w, http.StatusOK, list)
}

func (b *Backend) serveBatch(w http.ResponseWriter, r *http.Request) {
	var ids []string
	if err := json.NewDecoder(r.Body).Decode(&ids); err != nil {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, err.Error())
		return
	}
	found := make(map[string]wire.Job, len(ids))
	b.mu.Lock()
	for _, id := range ids {
		if j := b.find(id); j != nil {
			found[id] = j.Job
		}
	}
	b.mu.Unlock()
	answer(w, http.StatusOK, found)
}

func (b *Backend) serveCancel(w http.ResponseWriter, r *http.Request) {
	var c wire.CancelRequest
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, err.Error())
		return
	}
	b.job(w, r, func(j *job) {
		if wire.Over(j.State) {
			fail(w, http.StatusConflict, wire.CodeInvalid, "the job is over")
			return
		}
		if j.Incomplete {
			// Nothing runs, so nothing has to end.
			j.State, j.Reason, j.Since, j.Ended = wire.Stopped, "StoppedBeforeStart", time.Now(), time.Now()
			j.Incomplete = false
			_ = j.store()
			answer(w, http.StatusOK, nil)
			return
		}
		j.State, j.Since = wire.Stopping, time.Now()
		_ = j.store()
		grace := time.Duration(c.GraceMS) * time.Millisecond
		if c.Force {
			grace = 0
		}
		if !j.faults.CancelNever || c.Force {
			b.after(ms(j.faults.CancelMS), func() { j.end(grace) })
		}
		answer(w, http.StatusOK, nil)
	})
}

func (b *Backend) serveDelete(w http.ResponseWriter, r *http.Request) {
	b.job(w, r, func(j *job) {
		if !wire.Over(j.State) {
			fail(w, http.StatusConflict, wire.CodeInvalid, "the job is not over")
			return
		}
		b.remove(j)
		answer(w, http.StatusOK, nil)
	})
}

func (b *Backend) serveAccount(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answer(w, http.StatusOK, b.account)
}
