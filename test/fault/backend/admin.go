package backend

import (
	"encoding/json"
	"maps"
	"net/http"
	"time"

	"github.com/stephost/stephost/test/fault/wire"
)

func (b *Backend) serveRule(w http.ResponseWriter, r *http.Request) {
	var rule wire.FaultRule
	if err := json.NewDecoder(r.Body).Decode(&rule); err != nil {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, err.Error())
		return
	}
	b.mu.Lock()
	b.rules = append(b.rules, rule)
	b.mu.Unlock()
	answer(w, http.StatusOK, nil)
}

func (b *Backend) serveWeather(w http.ResponseWriter, r *http.Request) {
	var weather wire.Weather
	if err := json.NewDecoder(r.Body).Decode(&weather); err != nil {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, err.Error())
		return
	}
	b.mu.Lock()
	now := time.Now()
	b.unreachable = now.Add(ms(weather.UnreachableMS))
	b.throttled = now.Add(ms(weather.ThrottledMS))
	b.retryAfter = ms(weather.RetryAfterMS)
	b.unauthorized = weather.Unauthorized
	if weather.Account != "" {
		b.account = weather.Account
	}
	b.mu.Unlock()
	answer(w, http.StatusOK, nil)
}

func (b *Backend) serveAll(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	list := make([]wire.Job, 0, len(b.all))
	for _, j := range b.all {
		list = append(list, j.Job)
	}
	b.mu.Unlock()
	answer(w, http.StatusOK, list)
}

// serveDeleteBehind ends a job of any account and forgets it.
func (b *Backend) serveDeleteBehind(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.all {
		if j.ID == r.PathValue("id") && !j.Deleted {
			j.end(0)
			b.remove(j)
			answer(w, http.StatusOK, nil)
			return
		}
	}
	fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such job")
}

func (b *Backend) serveProjects(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	projects := map[string]wire.Stats{}
	for name, stats := range b.projects {
		projects[name] = maps.Clone(stats)
	}
	b.mu.Unlock()
	answer(w, http.StatusOK, projects)
}

func (b *Backend) serveStats(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	stats := maps.Clone(b.stats)
	b.mu.Unlock()
	answer(w, http.StatusOK, stats)
}
