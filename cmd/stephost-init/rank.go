//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stephost/stephost/internal/shim"
)

// place is this node's place among the nodes of a job.
type place struct {
	rank, nodes int
	addr, port  string
}

// placeOf asks what the backend provides. See the constants of package shim for
// the sources.
func placeOf(source string, e *environment, read func(string) ([]byte, error)) (place, error) {
	var p place
	var err error
	switch source {
	case shim.RankKubernetes:
		p, err = kubernetes(e)
	case shim.RankSageMaker:
		p, err = sagemaker(read)
	case shim.RankVertex:
		p, err = vertex(e.get("CLUSTER_SPEC"))
	case shim.RankAzureML:
		p, err = azureml(e)
	default:
		return p, fmt.Errorf("this image's init process does not know the source %q: build the image again with this version of stephost", source)
	}
	if err != nil {
		return p, err
	}
	if p.nodes < 1 || p.rank < 0 || p.rank >= p.nodes {
		return p, fmt.Errorf("rank %d of %d nodes cannot be", p.rank, p.nodes)
	}
	if addr := e.control(shim.MasterAddr); addr != "" {
		p.addr = addr
	}
	if port := e.control(shim.MasterPort); port != "" {
		p.port = port
	}
	if p.addr == "" && p.nodes == 1 {
		p.addr = "127.0.0.1"
	}
	if p.addr == "" {
		return p, errors.New("the address of node 0 is missing")
	}
	if p.port == "" {
		p.port = shim.DefaultMasterPort
	}
	return p, nil
}

func kubernetes(e *environment) (place, error) {
	nodes, err := number(e.control(shim.Nodes), shim.Nodes)
	if err != nil {
		return place{}, err
	}
	rank, err := number(e.get("JOB_COMPLETION_INDEX"), "JOB_COMPLETION_INDEX")
	return place{rank: rank, nodes: nodes}, err
}

const resourceConfig = "/opt/ml/input/config/resourceconfig.json"

func sagemaker(read func(string) ([]byte, error)) (place, error) {
	text, err := read(resourceConfig)
	if err != nil {
		return place{}, err
	}
	var c struct {
		Current string   `json:"current_host"`
		Hosts   []string `json:"hosts"`
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return place{}, fmt.Errorf("%s: %w", resourceConfig, err)
	}
	// Sorted as the documentation says they are; every node must agree.
	slices.Sort(c.Hosts)
	rank := slices.Index(c.Hosts, c.Current)
	if rank < 0 {
		return place{}, fmt.Errorf("%s does not name %q among the hosts", resourceConfig, c.Current)
	}
	return place{rank: rank, nodes: len(c.Hosts), addr: c.Hosts[0]}, nil
}

func vertex(spec string) (place, error) {
	if spec == "" {
		return place{}, errors.New("CLUSTER_SPEC is not set")
	}
	var c struct {
		Cluster map[string][]string `json:"cluster"`
		Task    struct {
			Type  string      `json:"type"`
			Index json.Number `json:"index"`
		} `json:"task"`
	}
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		return place{}, fmt.Errorf("CLUSTER_SPEC: %w", err)
	}
	if len(c.Cluster["workerpool0"]) == 0 {
		return place{}, errors.New("CLUSTER_SPEC has no workerpool0")
	}
	p := place{rank: -1, addr: c.Cluster["workerpool0"][0]}
	if i := strings.LastIndexByte(p.addr, ':'); i > 0 { // without package net, which is a third of the binary
		p.addr = p.addr[:i]
	}
	index, err := number(c.Task.Index.String(), "CLUSTER_SPEC: task.index")
	if err != nil {
		return p, err
	}
	// There are at most four pools: https://cloud.google.com/vertex-ai/docs/training/distributed-training
	for i := range 4 {
		pool := "workerpool" + strconv.Itoa(i)
		if pool == c.Task.Type {
			p.rank = p.nodes + index
		}
		p.nodes += len(c.Cluster[pool])
	}
	if p.rank < 0 {
		return p, fmt.Errorf("CLUSTER_SPEC names this node's pool %q", c.Task.Type)
	}
	return p, nil
}

func azureml(e *environment) (place, error) {
	nodes, err := number(e.get("WORLD_SIZE"), "WORLD_SIZE")
	if err != nil {
		return place{}, err
	}
	from := "NODE_RANK"
	if e.get(from) == "" {
		from = "RANK"
	}
	rank, err := number(e.get(from), from)
	return place{rank: rank, nodes: nodes, addr: e.get("MASTER_ADDR"), port: e.get("MASTER_PORT")}, err
}

func number(text, name string) (int, error) {
	if text == "" {
		return 0, fmt.Errorf("%s is not set", name)
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q", name, text)
	}
	return n, nil
}
