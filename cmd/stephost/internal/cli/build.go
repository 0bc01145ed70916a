//go:build !front

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/problem"
)

// builtImage is a built image in JSON output.
type builtImage struct {
	// Reference is by digest, as the backend pulls it.
	Reference string `json:"reference"`
	// Pushed is the same where it was pushed to; absent when nothing was built.
	Pushed   string                   `json:"pushed,omitempty"`
	Shim     bool                     `json:"shim"`
	Base     string                   `json:"base,omitempty"`
	Platform string                   `json:"platform,omitempty"`
	Layers   []environment.ImageLayer `json:"layers,omitempty"`
	// UploadedBytes of layers were sent now.
	UploadedBytes int64 `json:"uploaded_bytes"`
	// Packages are in the requirements layer, BaseHas was in the base already.
	Packages []requirements.Package `json:"packages,omitempty"`
	BaseHas  []requirements.Package `json:"base_has,omitempty"`
	Files    int                    `json:"files,omitempty"`
	Bytes    int64                  `json:"bytes,omitempty"`
	Seconds  float64                `json:"seconds"`
	Warnings []string               `json:"warnings,omitempty"`
}

func (a *app) buildCommand() *cobra.Command {
	var l launchFlags
	c := command(buildUse, buildShort, cobra.Command{
		Long: `Makes the image that a launch of the step would run, sends what its registry lacks,
and prints the image by digest. No container engine is needed. A launch after it
finds the image there.

Takes the flags of launch that describe a step.`,
		Example: `  stephost build train
  stephost build --operator gpu --base-image python:3.11-slim --registry registry.example.com/ml --source . --requirement six`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &problem.Error{Summary: fmt.Sprintf("`stephost build` takes one step, and got %q too", problem.Bound(args[1], 100)),
					Next: "build one step after the other"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// Flags alone can describe an image; what will run in it does not matter.
			var argv []string
			if len(args) == 0 && (cmd.Flags().Changed("base-image") || cmd.Flags().Changed("image")) {
				argv = []string{"true"}
			}
			return a.build(cmd.Context(), &l, strings.Join(args, ""), argv)
		},
	})
	l.step.add(c)
	return c
}

func (a *app) build(ctx context.Context, l *launchFlags, step string, argv []string) error {
	sel, err := a.selectStep(ctx, l, verbBuild, step, argv)
	if err != nil {
		return err
	}
	img, err := a.h.Build(ctx, sel, func(line string) { a.say("%s", oneLine(line)) })
	if err != nil {
		return err
	}
	if !a.json() {
		a.diagnostics(sel.Warnings)
		for _, w := range img.Warnings {
			a.warn(w)
		}
	}
	item := builtImage{Reference: img.Reference, Pushed: img.Pushed, Shim: img.Shim, Base: img.Base, Platform: img.Platform,
		Layers: img.Layers, UploadedBytes: img.UploadedBytes, Packages: img.Packages, BaseHas: img.Satisfied,
		Files: img.SourceFiles, Bytes: img.SourceBytes, Seconds: img.Took.Seconds(), Warnings: append(warningTexts(sel.Warnings), img.Warnings...)}
	return a.item(item, func(w io.Writer) error {
		a.say("%s", builtText(img))
		_, err := fmt.Fprintln(w, img.Reference)
		return err
	})
}

// builtText says what was done, in a line.
func builtText(img *environment.Image) string {
	if img.Pushed == "" {
		return "nothing was built: the image is run as it is"
	}
	sent := "nothing had to be uploaded"
	if img.UploadedBytes > 0 {
		sent = humanize.IBytes(uint64(img.UploadedBytes)) + " uploaded"
	}
	return fmt.Sprintf("%s layers, %s, in %.1f s", fmt.Sprint(len(img.Layers)), sent, img.Took.Seconds())
}
