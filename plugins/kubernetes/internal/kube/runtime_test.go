package kube

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDropsTails(t *testing.T) {
	for version, want := range map[string]bool{
		"":                           false,
		"cri-o://1.29.1":             false,
		"docker://24.0.7":            false,
		"containerd://":              false,
		"containerd://Unknown":       false,
		"containerd://0.2.0":         true,
		"containerd://1.4.13":        true,
		"containerd://1.6.20~ds1":    true,
		"containerd://1.6.21":        true,
		"containerd://1.6.22":        false,
		"containerd://1.6.39-k3s1":   false,
		"containerd://1.7.0":         true,
		"containerd://1.7.2-0ubuntu": true,
		"containerd://1.7.3":         false,
		"containerd://1.7.27":        false,
		"containerd://v1.7.1":        true,
		"containerd://2.0.0-rc.1":    false,
		"containerd://2.4.2":         false,
	} {
		assert.Equal(t, want, DropsTails(version), version)
	}
}
