package host

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/process"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
)

// launchable checks the implementation of a selected flavor against its pin.
// The descriptor that was checked is the one that the first start executes.
func (h *Host) launchable(ctx context.Context, sel *Selection) (*launch.Flavor, error) {
	if started := h.taken(sel); started != nil {
		return started, nil
	}
	checked, err := h.Registry().Executable(ctx, sel.Flavor)
	if err != nil {
		return nil, err
	}
	return &launch.Flavor{
		Manifest: sel.Manifest, ArtifactSHA256: checked.SHA256,
		Spec: h.spec(sel.Flavor, sel.Manifest, checked),
	}, nil
}

// spec is how the flavor's process is started. checked, if any, is used by the
// first start; each later one checks anew.
func (h *Host) spec(f *registry.Flavor, m *manifest.Manifest, checked *registry.Executable) process.Spec {
	var mu sync.Mutex
	open := func(ctx context.Context) (*registry.Executable, error) {
		mu.Lock()
		first := checked
		checked = nil
		mu.Unlock()
		if first != nil {
			return first, nil
		}
		return h.Registry().Executable(ctx, f)
	}
	if dir, ok := h.o.Attach[m.Name]; ok {
		if checked != nil {
			_ = checked.Close()
		}
		return process.Spec{
			Flavor: m.Name, Version: m.Version, ManifestDigest: m.Digest, DigestOptional: true,
			Attached: true,
			Executable: func(context.Context) (*process.Executable, error) {
				return &process.Executable{Argv: append(slices.Clone(h.o.Relay), dir)}, nil
			},
		}
	}
	return process.Spec{
		Flavor: m.Name, Version: m.Version, ManifestDigest: m.Digest, DigestOptional: true,
		PassEnv: m.PassEnv, TLS: m.TLS,
		Executable: func(ctx context.Context) (*process.Executable, error) {
			ex, err := open(ctx)
			if err != nil {
				return nil, err
			}
			return &process.Executable{Argv: ex.Argv, Env: ex.Env, File: ex.File, Close: func() { _ = ex.Close() }}, nil
		},
	}
}

// pinned finds the flavor version and the implementation that a run was
// launched with. A newer version of the flavor does not stand in: it might name
// jobs in another way.
func (h *Host) pinned(ctx context.Context, pin runs.Pin) (*launch.Flavor, error) {
	ref := pin.Flavor + "@" + pin.Version
	f, err := h.Registry().Flavor(ctx, ref)
	if err != nil {
		return nil, err
	}
	m, err := f.Manifest(ctx)
	if err != nil {
		return nil, err
	}
	checked, err := h.Registry().Executable(ctx, f)
	if err != nil {
		return nil, err
	}
	dev := f.Status == registry.Dev
	if !dev && (checked.SHA256 != pin.ArtifactSHA256 || m.Digest != pin.ManifestDigest) {
		_ = checked.Close()
		return nil, &problem.Error{
			Summary: fmt.Sprintf("flavor %s is not the one that the run was launched with", ref), Flavor: ref, Class: problem.Config,
			Detail: "Another file was registered under the same version since.",
			Next:   "register the former file again: stephost flavor register PATH --replace",
		}
	}
	return &launch.Flavor{Manifest: m, ArtifactSHA256: checked.SHA256, Spec: h.spec(f, m, checked)}, nil
}
