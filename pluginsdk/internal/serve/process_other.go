//go:build !linux

package serve

func closeOthersOnExec() {}

func setProcessName(string) {}
