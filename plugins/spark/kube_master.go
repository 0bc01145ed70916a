package main

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// kubernetesMaster begins the address of an API server.
const kubernetesMaster = "k8s://"

// onKubernetes tells whether the driver is a Job.
func (c Config) onKubernetes() bool { return strings.HasPrefix(c.Master, kubernetesMaster) }

// apiServer is the address of the API server as pods see it; "" = that of the
// service account's cluster, which every pod finds in its environment.
func (c Config) apiServer() string {
	if c.onLoopback() {
		return ""
	}
	return c.written()
}

// written is the address in the master, "" for none.
func (c Config) written() string { return strings.TrimPrefix(c.Master, kubernetesMaster) }

// onLoopback tells whether the master is an address of the launching machine's own
// loopback interface, as it stands in the kubeconfig of a cluster on one's own machine,
// and as Spark's documentation writes it. In a pod that would be the pod itself.
func (c Config) onLoopback() bool {
	at, err := url.Parse(c.written())
	return c.onKubernetes() && err == nil && loopback(at.Hostname())
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// sameCluster refuses a loopback address that is not where the kubeconfig leads: the
// Job would run in a cluster that nobody has written. It reads the kubeconfig and asks
// nobody.
func (f *spark) sameCluster(ctx context.Context, c Config) error {
	if !c.onLoopback() {
		return nil
	}
	cluster, err := f.kube.Namespace(ctx, c.job())
	if err != nil {
		return err
	}
	if samePort(c.written(), cluster.Host) {
		return nil
	}
	return pluginsdk.Config("config.master",
		"the master is %s on this machine, and the kubeconfig leads to %s: which cluster it is says the kubeconfig (context, kubeconfig), and an address in the master is the one at which pods reach its API server, which is never a loopback address. Write k8s:// alone, or choose the other context",
		c.written(), cluster.Host)
}

// samePort tells whether two addresses mean the same port of this machine.
func samePort(a, b string) bool {
	x, xerr := url.Parse(a)
	y, yerr := url.Parse(b)
	return xerr == nil && yerr == nil && x.Scheme == y.Scheme && loopback(x.Hostname()) && loopback(y.Hostname()) && portOf(x) == portOf(y)
}

func portOf(at *url.URL) string {
	switch {
	case at.Port() != "":
		return at.Port()
	case at.Scheme == "http":
		return "80"
	}
	return "443"
}
