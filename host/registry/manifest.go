package registry

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
)

// manifestSource is where a flavor's manifest is parsed from, once.
type manifestSource struct {
	file string // bytes whose digest must be the flavor's

	mu     sync.Mutex
	parsed *manifest.Manifest
}

// Manifest parses the flavor's manifest: of a Dev flavor anew at each call, of
// the others once. Nothing is run. The error is hcl.Diagnostics when the text
// is wrong, *PinError when it is not what was registered.
func (f *Flavor) Manifest(ctx context.Context) (*manifest.Manifest, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	if f.Status == Dev {
		return f.reg.devManifest(ctx, f)
	}
	f.source.mu.Lock()
	defer f.source.mu.Unlock()
	if f.source.parsed != nil {
		return f.source.parsed, nil
	}
	m, err := f.load(ctx)
	f.source.parsed = m
	return m, err
}

func (f *Flavor) load(ctx context.Context) (*manifest.Manifest, error) {
	data, err := readBounded(f.source.file, manifest.MaxManifest)
	if f.record == nil && (err != nil || digestOf(data) != f.ManifestDigest) {
		// A drop-in: the cache may have been cleared, the file is still there.
		return f.reg.readManifest(ctx, f.From)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, pinError(f, f.source.file, "the manifest is missing", "", "", err)
	}
	if err != nil {
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "cannot read its manifest", Err: err}
	}
	if got := digestOf(data); got != f.ManifestDigest {
		return nil, pinError(f, f.source.file, "the manifest was changed", trimDigest(f.ManifestDigest), trimDigest(got), nil)
	}
	key := f.source.file + "\x00" + f.ManifestDigest
	if m, ok := f.reg.parsed.Load(key); ok {
		return m.(*manifest.Manifest), nil
	}
	m, diags := manifest.Parse(f.reg.sources, f.source.file, data)
	if diags.HasErrors() {
		return nil, diags
	}
	f.reg.parsed.Store(key, m)
	return m, nil
}

// devManifest reads the manifest where the flavor is being developed.
func (r *Registry) devManifest(ctx context.Context, f *Flavor) (*manifest.Manifest, error) {
	m, err := r.readManifest(ctx, f.From)
	if err != nil {
		return nil, err
	}
	if m.Name != f.Name || m.Version != f.Version {
		return nil, &problem.Error{Flavor: f.Ref(), Summary: "its manifest now says " + quoted(m.Name+"@"+m.Version),
			Next: "register it again: stephost flavor register --dev " + shellQuote(f.From)}
	}
	return m, nil
}

// readManifest finds the manifest of the file or directory at path.
func (r *Registry) readManifest(ctx context.Context, path string) (*manifest.Manifest, error) {
	m, _, diags := manifest.Read(ctx, r.sources, path)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if diags.HasErrors() {
		return nil, diags
	}
	if m == nil {
		return nil, &problem.Error{Summary: "no manifest was found for " + path}
	}
	return m, nil
}

// digestOf is a manifest's digest as the manifest room writes it.
func digestOf(source []byte) string { return "sha256:" + sumOf(source) }

func trimDigest(d string) string {
	if len(d) > len("sha256:") {
		return d[len("sha256:"):]
	}
	return d
}

// warningsOf keeps what a manifest's check warned about, as sentences.
func warningsOf(diags hcl.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		if d.Severity != hcl.DiagWarning {
			continue
		}
		text := d.Summary
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		out = append(out, problem.Bound(text, 1<<10))
	}
	return out
}
