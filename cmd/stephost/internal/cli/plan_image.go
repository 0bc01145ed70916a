//go:build !front

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/stephost/stephost/host/environment"
)

// imageItem is the image of a plan.
type imageItem struct {
	Base     string                   `json:"base,omitempty"`
	Platform string                   `json:"platform,omitempty"`
	Push     string                   `json:"push,omitempty"`
	Pull     string                   `json:"pull,omitempty"`
	Image    string                   `json:"image,omitempty"`
	Layers   []environment.ImageLayer `json:"layers,omitempty"`
	// UploadBytes would be sent, as far as sizes are known; BaseBytes of them are
	// layers of the base.
	UploadBytes int64    `json:"upload_bytes,omitempty"`
	BaseBytes   int64    `json:"base_bytes,omitempty"`
	Python      string   `json:"python,omitempty"`
	Unknown     []string `json:"known_at_launch,omitempty"`
}

func itemOfImage(p *environment.ImagePlan) *imageItem {
	if p == nil {
		return nil
	}
	return &imageItem{Base: p.Base, Platform: p.Platform, Push: p.Push, Pull: p.Pull, Image: p.Image, Layers: p.Layers,
		UploadBytes: p.UploadBytes, BaseBytes: p.BaseBytes, Python: p.Python, Unknown: p.Unknown}
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// showImage prints what would be built.
func showImage(w io.Writer, p *environment.ImagePlan) {
	if p == nil || p.Image != "" {
		return
	}
	line := p.Base + " for " + p.Platform
	if p.Python != "" {
		line += ", Python " + p.Python
	}
	fmt.Fprintf(w, "  base         %s\n", line)
	if p.Push == "" {
		return
	}
	fmt.Fprintf(w, "  goes to      %s\n", p.Push)
	if p.Pull != p.Push {
		fmt.Fprintf(w, "  pulled from  %s\n", p.Pull)
	}
	if p.SourceFiles > 0 {
		fmt.Fprintf(w, "  source       %s, %s\n", count(p.SourceFiles, "file"), size(p.SourceBytes))
	}
	for _, l := range p.Layers {
		fmt.Fprintf(w, "  layer        %s\n", layerText(l))
	}
	if p.UploadBytes > 0 {
		text := size(p.UploadBytes)
		if p.BaseBytes > 0 {
			text += ", of which " + size(p.BaseBytes) + " are layers of the base, once"
		}
		fmt.Fprintf(w, "  upload       %s\n", text)
	}
	for _, u := range p.Unknown {
		fmt.Fprintf(w, "  at launch    %s\n", u)
	}
}

func layerText(l environment.ImageLayer) string {
	parts := []string{l.Kind}
	if l.Size > 0 {
		parts = append(parts, size(l.Size))
	}
	if !l.Cached && l.Kind != "base" {
		parts = append(parts, "would be packed")
	}
	if word := map[string]string{"present": "is in the registry", "mounted": "is mounted from the base's repository", "missing": "would be uploaded"}[l.State]; word != "" {
		parts = append(parts, word)
	}
	return strings.Join(parts, ", ")
}
