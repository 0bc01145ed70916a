package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/stephost/stephost/plugins/kubernetes/job"
	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
)

// ownWords begins what kube_driver.sh says when it could not begin.
const ownWords = "stephost: "

// refineDriver adds to the status of a driver's Job how far its application has
// come, why it could not begin, and whether executors are left.
func (f *spark) refineDriver(ctx context.Context, v job.View, st pluginsdk.Status) (pluginsdk.Status, error) {
	switch {
	case st.Phase == pluginsdk.Running:
		a := f.seen.of(v.Key)
		f.progressOf(ctx, v, &a, &st)
		waitingExecutors(ctx, v, &a, &st)
		f.seen.put(v.Key, a)
		return st, nil
	case !st.Phase.Terminal():
		return st, nil
	}
	f.seen.forget(v.Key)
	if st.Phase == pluginsdk.Succeeded {
		return st, nil // Spark has deleted them before it ended
	}
	if text, is := strings.CutPrefix(st.Message, ownWords); is && st.Phase == pluginsdk.Failed {
		st.Class, st.Reason, st.Message, st.ExitCode = pluginsdk.ClassConfig, "DriverCannotStart", text, nil
	}
	return executorsGone(ctx, v, st)
}

// silentMost is the longest pause of asking a UI that does not answer: often nobody
// may ask it.
const silentMost = time.Minute

// progressOf asks the driver's UI through the API server. Who may not, sees no
// stages.
func (f *spark) progressOf(ctx context.Context, v job.View, a *appSeen, st *pluginsdk.Status) {
	i := slices.IndexFunc(v.Pods, func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	port := driverUI(v)
	if i < 0 || port == 0 {
		return
	}
	if pause := max(progressEvery, a.pause); a.due(st.PhaseSince, pause) {
		ctx, cancel := context.WithTimeout(ctx, progressBound)
		defer cancel()
		client := standalone.Client{HTTP: v.Cluster.HTTP()}
		if p, err := client.Progress(ctx, v.Cluster.PodURL(v.Pods[i].Name, port), a.app); err == nil {
			a.app, a.told, a.pause = p.App, p.String(), 0
		} else {
			a.pause = min(2*pause, silentMost)
		}
	}
	if st.Message == "" && a.told != "" {
		st.Message = a.app + ": " + a.told
	}
}

// driverUI is the port of the driver's UI, 0 for none, as its command says it.
func driverUI(v job.View) int {
	port := usualDriverUI
	for _, arg := range step(&v.Job.Spec.Template.Spec).Command {
		if arg == "spark.ui.enabled=false" {
			return 0
		}
		if text, is := strings.CutPrefix(arg, "spark.ui.port="); is {
			port, _ = strconv.Atoi(text)
		}
	}
	return port
}

// cleanDriver removes what an ended driver left: what the Job of any step leaves, which
// is refused while it runs, and executors that it did not take along.
func (f *spark) cleanDriver(ctx context.Context, c Config, h pluginsdk.Handle, what pluginsdk.What) error {
	if err := f.kube.Cleanup(ctx, c.job(), h, what); err != nil {
		return err
	}
	cluster, err := f.kube.Open(ctx, c.job(), h)
	if err != nil {
		return err
	}
	left, err := executorsOf(ctx, cluster, h.Key)
	if err != nil {
		return job.Ask(err)
	}
	return deleteExecutors(ctx, cluster, left)
}
