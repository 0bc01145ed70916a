package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind" // what the tests' Corefile names
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

// dns resolves the names of Services and of the pods behind them.
func dns() { coremain.Run() }
