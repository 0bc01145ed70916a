package main

import (
	"net"
	"strings"
)

// Ports of a standalone master where nothing else is said: Spark's documentation,
// "Spark Standalone Mode" (spark.master.ui.port, spark.master.rest.port).
const (
	usualUIPort   = "8080"
	usualRESTPort = "6066"
)

func (c Config) isLocal() bool      { return c.Master == "local" || strings.HasPrefix(c.Master, "local[") }
func (c Config) isStandalone() bool { return strings.HasPrefix(c.Master, "spark://") }

// threads of a local master as it is written: "1", "4", "*".
func (c Config) threads() string {
	inner, ok := strings.CutPrefix(c.Master, "local[")
	if !ok {
		return "1"
	}
	n, _, _ := strings.Cut(strings.TrimSuffix(inner, "]"), ",")
	return n
}

// hosts of a standalone master; several stand by for each other.
func (c Config) hosts() []string {
	var hosts []string
	for _, address := range strings.Split(strings.TrimPrefix(c.Master, "spark://"), ",") {
		if host, _, err := net.SplitHostPort(address); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// uis are the addresses of the masters' web UIs; none where nobody is to be asked.
func (c Config) uis() []string {
	switch {
	case !c.isStandalone() || c.MasterUI == "none":
		return nil
	case c.MasterUI != "":
		return []string{strings.TrimRight(c.MasterUI, "/")}
	}
	var uis []string
	for _, host := range c.hosts() {
		uis = append(uis, "http://"+net.JoinHostPort(host, usualUIPort))
	}
	return uis
}

// rest is the address of the REST API. Of several masters the first is asked: the
// others answer that they stand by.
func (c Config) rest() string {
	if c.RestURL != "" {
		return strings.TrimRight(c.RestURL, "/")
	}
	if hosts := c.hosts(); len(hosts) > 0 {
		return "http://" + net.JoinHostPort(hosts[0], usualRESTPort)
	}
	return ""
}
