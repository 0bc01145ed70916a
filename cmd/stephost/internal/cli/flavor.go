package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/registry"
)

func (a *app) flavorCommand() *cobra.Command {
	return a.group("flavor", "Flavors: kinds of places to run a step", cobra.Command{
		Long: `A flavor is a kind of place to run a step: a manifest (flavor.hcl) and an
implementation, the plugin. What came with stephost works at once; others are
registered, which pins what will be executed. Nothing here runs a plugin, but
test.`,
		Example: `  stephost flavor list
  stephost flavor describe local
  stephost flavor register ./stephost-flavor-mycloud`,
	}, a.flavorRegister(), a.flavorList(), a.flavorDescribe(), a.flavorVerify(), a.flavorDelete(), a.flavorDocs(), a.flavorSchema(), a.flavorStamp(),
		a.flavorInit(), a.flavorTest())
}

// flavorItem is a flavor in JSON output.
type flavorItem struct {
	Name           string          `json:"name"`
	Version        string          `json:"version,omitempty"`
	Status         string          `json:"status"`
	Summary        string          `json:"summary,omitempty"`
	ManifestDigest string          `json:"manifest_digest,omitempty"`
	From           string          `json:"from,omitempty"`
	RegisteredAt   *time.Time      `json:"registered_at,omitempty"`
	Implementation *implementation `json:"implementation,omitempty"`
	Warnings       []string        `json:"warnings,omitempty"`
	Error          string          `json:"error,omitempty"`
	Manifest       *manifestItem   `json:"manifest,omitempty"`
	Unpinned       []string        `json:"unpinned,omitempty"`
}

// implementation is what would be executed.
type implementation struct {
	Path        string `json:"path"`
	Kind        string `json:"kind"`
	SHA256      string `json:"sha256,omitempty"`
	Size        int64  `json:"size,omitempty"`
	OS          string `json:"os,omitempty"`
	Arch        string `json:"arch,omitempty"`
	Interpreter string `json:"interpreter,omitempty"`
	Pinned      bool   `json:"pinned"`
}

func itemOfFlavor(f *registry.Flavor) flavorItem {
	out := flavorItem{Name: f.Name, Version: f.Version, Status: string(f.Status), Summary: f.Summary,
		ManifestDigest: f.ManifestDigest, From: f.From, Warnings: f.Warnings, Unpinned: f.Unpinned()}
	if !f.At.IsZero() {
		at := f.At.UTC()
		out.RegisteredAt = &at
	}
	if f.Err != nil {
		out.Error = errorText(f.Err)
	}
	if i := f.Artifact; i != nil {
		out.Implementation = &implementation{Path: i.Path, Kind: i.Kind, SHA256: i.SHA256, Size: i.Size, OS: i.OS, Arch: i.Arch,
			Pinned: i.SHA256 != "" && !i.Dev}
		if i.Interpreter != nil {
			out.Implementation.Interpreter = i.Interpreter.Path
		}
	}
	return out
}

func (a *app) flavorRegister() *cobra.Command {
	var o registry.RegisterOptions
	var all bool
	c := command("register PATH", "Make a flavor known and pin its implementation", cobra.Command{
		Aliases: []string{"create"},
		Long: `Registers the flavor at PATH: a plugin (a file, with its manifest inside or
beside it), a directory with a flavor.hcl, or a manifest alone (then operators
and files can be checked, but nothing launched). The implementation is copied
into stephost's home and pinned by its SHA-256; it is not run.`,
		Example: `  stephost flavor register ./stephost-flavor-mycloud
  stephost flavor register ./mycloud.flavor.hcl     the manifest alone
  stephost flavor register --dev ./build/mycloud    in place, while you write it
  stephost flavor register --all                    everything in the drop-in directory`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return &problem.Error{Summary: fmt.Sprintf("--all registers what is in the drop-in directory, and got %q too", problem.Bound(args[0], 100)),
					Next: "write `stephost flavor register --all`, or `stephost flavor register PATH`"}
			case all:
				return nil
			}
			return arguments(1, "the PATH of a plugin, a directory or a manifest")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			if all {
				return a.registerAll(cmd.Context(), cat.Registry(), cat.Home(), o)
			}
			f, err := cat.Registry().Register(cmd.Context(), a.path(args[0]), o)
			if err != nil {
				return notPath(args[0], err)
			}
			return a.registered(f, o)
		},
	})
	c.Flags().BoolVar(&all, "all", false, "register everything in the drop-in directory")
	c.Flags().BoolVar(&o.Dev, "dev", false, "use it in place, unpinned, and read its manifest anew at each use")
	c.Flags().BoolVar(&o.Replace, "replace", false, "accept other bytes under a version that is registered")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "check everything, write nothing")
	c.Flags().BoolVar(&o.VerifyAlways, "verify-always", false, "hash the implementation at every start")
	return c
}

var classPath = func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$`) }

// notPath explains what people bring from hosts whose flavors are classes.
func notPath(path string, err error) error {
	if _, statErr := os.Stat(path); statErr == nil || !classPath().MatchString(path) || strings.HasSuffix(path, ".hcl") {
		return err
	}
	return &problem.Error{Summary: fmt.Sprintf("%q looks like the path of a Python class", path),
		Detail: "A flavor is a plugin with a manifest, and stephost never imports or runs it to learn about it.",
		Next:   "register the plugin's file or directory: stephost flavor register ./PATH"}
}

func (a *app) registered(f *registry.Flavor, o registry.RegisterOptions) error {
	err := a.item(itemOfFlavor(f), func(w io.Writer) error {
		what := "registered"
		switch {
		case o.DryRun:
			what = "can be registered"
		case f.Artifact == nil:
			what = "registered, manifest only: it can be configured and validated, not launched"
		case o.Dev:
			what = "registered in place, not pinned"
		}
		_, err := fmt.Fprintf(w, "flavor %s %s\n", f.Ref(), what)
		return err
	})
	for _, w := range f.Warnings {
		a.warn(w)
	}
	if !o.DryRun {
		a.say("Next: stephost operator register NAME --flavor=%s --help", f.Name)
	}
	return err
}

func (a *app) registerAll(ctx context.Context, r *registry.Registry, at home.Home, o registry.RegisterOptions) error {
	done, err := r.RegisterAll(ctx, o)
	if err != nil {
		return err
	}
	var items []flavorItem
	failed := 0
	for _, d := range done {
		if d.Err != nil {
			failed++
			items = append(items, flavorItem{Name: d.Path, Status: "refused", Error: errorText(d.Err)})
			if !a.json() {
				a.problem(fmt.Errorf("%s: %w", d.Path, d.Err))
			}
			continue
		}
		items = append(items, itemOfFlavor(d.Flavor))
	}
	err = a.items(items, len(done)-failed, "Nothing was registered from "+at.Plugins()+".", []string{"FLAVOR", "FROM"}, func(i int) []string {
		ok := registeredOnly(done)
		return []string{ok[i].Flavor.Ref(), ok[i].Path}
	})
	if failed > 0 && err == nil {
		a.exit = problem.Exit
	}
	return err
}

func registeredOnly(all []registry.Registration) []registry.Registration {
	var out []registry.Registration
	for _, r := range all {
		if r.Err == nil {
			out = append(out, r)
		}
	}
	return out
}

func (a *app) flavorList() *cobra.Command {
	old := false
	c := command("list", "List the flavors that are here", cobra.Command{
		Aliases: []string{"ls"},
		Long: `Lists every known version of every flavor.

  registered  pinned in stephost's home
  shipped     came with stephost, usable at once, pinned at its first use
  available   lies in the drop-in directory: flavor register --all pins it
  dev         registered in place with --dev`,
		Args: arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			if old {
				return a.listOutdated(cmd.Context(), cat)
			}
			all, err := cat.Registry().Flavors(cmd.Context())
			if err != nil {
				return err
			}
			items := make([]flavorItem, len(all))
			var good []flavorItem
			for i, f := range all {
				items[i] = itemOfFlavor(f)
				if f.Note != "" {
					items[i].Warnings = append(slices.Clone(f.Warnings), f.Note)
				}
				if f.Err == nil {
					good = append(good, items[i])
				}
			}
			none := "No flavor is known yet.\nNext: put a plugin into " + cat.Home().Plugins() + ", or stephost flavor register PATH"
			err = a.items(items, len(good), none, []string{"FLAVOR", "VERSION", "STATUS", "SUMMARY"}, func(i int) []string {
				f := good[i]
				status := f.Status
				if f.Implementation == nil {
					status += " (manifest only)"
				}
				return []string{f.Name, f.Version, status, f.Summary}
			})
			if !a.json() {
				for _, f := range all {
					if f.Note != "" {
						a.warn(f.Note)
					}
					if f.Err != nil {
						a.warn(fmt.Sprintf("%s is no usable flavor: %s", f.From, errorText(f.Err)))
					}
				}
			}
			return err
		},
	})
	c.Flags().BoolVar(&old, "outdated", false, "only versions beside which a newer one is here, and the operators that stay with them")
	return c
}

func (a *app) flavorVerify() *cobra.Command {
	return command("verify [NAME[@VERSION]]", "Compare every byte with what was pinned", cobra.Command{
		Args: arguments(0, "a flavor"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			ref := ""
			if len(args) > 0 {
				ref = args[0]
			}
			all, err := cat.Registry().Verify(cmd.Context(), ref)
			if err != nil {
				return err
			}
			type verified struct {
				Name    string `json:"name"`
				Version string `json:"version"`
				OK      bool   `json:"ok"`
				Error   string `json:"error,omitempty"`
			}
			items := make([]verified, len(all))
			for i, v := range all {
				items[i] = verified{Name: v.Flavor.Name, Version: v.Flavor.Version, OK: v.Err == nil}
				if v.Err != nil {
					items[i].Error = v.Err.Error()
					a.exit = problem.Exit
				}
			}
			err = a.items(items, len(all), "Nothing is pinned yet.", []string{"FLAVOR", "RESULT"}, func(i int) []string {
				result := "as pinned"
				if all[i].Err != nil {
					result = "CHANGED"
				}
				return []string{all[i].Flavor.Ref(), result}
			})
			for _, v := range all {
				if v.Err != nil && !a.json() {
					a.problem(v.Err)
				}
			}
			return err
		},
	})
}
