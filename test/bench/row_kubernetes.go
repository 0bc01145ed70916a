package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/stats"
	"github.com/stephost/stephost/test/kube"
)

const (
	// kubernetesGoal is how much longer a launch may take than kubectl does.
	kubernetesGoal = 1.2
	// kubernetesRounds of both ways; each takes some seconds.
	kubernetesRounds = 10
	// clusterOperator is the operator of the cluster.
	clusterOperator = "cluster"
)

// benchKubernetes is a launch on a real cluster, from the command to the known
// end with the log read, beside `kubectl create job` and `kubectl wait`.
func benchKubernetes(ctx context.Context, b *bench) (err error) {
	if lacks := kube.Lacks(true); lacks != "" {
		b.Note("Not measured: %s.", lacks)
		return nil
	}
	c, err := kube.Start(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	place, err := b.Place()
	if err != nil {
		return err
	}
	run := func(argv ...string) (lab.Ran, error) {
		return b.Run(ctx, lab.Command{Argv: argv, Env: append(place.Env, "KUBECONFIG="+c.Kubeconfig), Dir: place.Dir})
	}
	for _, argv := range [][]string{
		{b.Stephost, "flavor", "register", filepath.Join(b.Root, "bin", "plugins", "stephost-flavor-kubernetes")},
		{b.Stephost, "operator", "register", clusterOperator, "--flavor=kubernetes", "--kubeconfig=" + c.Kubeconfig, "--image=" + c.Image},
	} {
		if _, err := run(argv...); err != nil {
			return err
		}
	}
	launch := func() (float64, error) {
		ran, err := run(b.Stephost, "launch", "--operator", clusterOperator, "--", "true")
		return lab.Milliseconds(ran.Wall), err
	}
	kubectl := func(name string) (float64, error) {
		created, err := run(c.KubectlPath, "create", "job", name, "--image="+c.Image, "--", "true")
		if err != nil {
			return 0, err
		}
		waited, err := run(c.KubectlPath, "wait", "--for=condition=complete", "job/"+name, "--timeout=2m")
		return lab.Milliseconds(created.Wall) + lab.Milliseconds(waited.Wall), err
	}
	if _, err := launch(); err != nil { // the image is pulled once
		return err
	}
	var ours, theirs stats.Sample
	for i := range kubernetesRounds {
		took, err := kubectl(fmt.Sprintf("bench-%d", i))
		if err != nil {
			return err
		}
		theirs = append(theirs, took)
		if took, err = launch(); err != nil {
			return err
		}
		ours = append(ours, took)
	}
	ratio := stats.Pairs(ours, theirs, func(a, b float64) float64 { return a / b })
	b.addMS("`kubectl create job` and `kubectl wait`", theirs)
	b.addMS("launch -- true, with the log", ours)
	b.addGoal("launch beside kubectl", ratio, "x", fmt.Sprintf("<= %.1f x", kubernetesGoal), ratio.Median() <= kubernetesGoal)
	return nil
}
