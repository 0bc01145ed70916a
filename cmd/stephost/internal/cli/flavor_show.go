package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

// manifestItem is a manifest in JSON output.
type manifestItem struct {
	Protocol      []int           `json:"protocol"`
	Environments  []string        `json:"environment"`
	EnvironmentOn []kindItem      `json:"environment_kinds,omitempty"`
	Capabilities  []string        `json:"capabilities"`
	Secrets       string          `json:"secrets"`
	Outputs       string          `json:"outputs"`
	PassEnv       []string        `json:"pass_env,omitempty"`
	Idempotency   string          `json:"idempotency"`
	Resources     []string        `json:"resources"`
	Attributes    []attributeItem `json:"attributes"`
	Prerequisites string          `json:"prerequisites,omitempty"`
	Permissions   string          `json:"permissions,omitempty"`
}

// kindItem is a kind of environment that depends on the operator's config.
type kindItem struct {
	Kind        string `json:"kind"`
	AppliesWhen string `json:"applies_when"` // as HCL
}

// attributeItem is an attribute of a flavor in JSON output.
type attributeItem struct {
	Name        string   `json:"name"`
	Kind        string   `json:"kind"` // "config" or "setting"
	Type        string   `json:"type"`
	Required    bool     `json:"required"`
	Default     string   `json:"default,omitempty"` // as HCL
	Description string   `json:"description,omitempty"`
	Sensitive   bool     `json:"sensitive,omitempty"`
	Deprecated  string   `json:"deprecated,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
	OneOf       []string `json:"one_of,omitempty"` // as HCL
}

func itemOfManifest(m *manifest.Manifest) *manifestItem {
	out := &manifestItem{Protocol: m.Protocol, Environments: m.Environments, Capabilities: m.Capabilities, Secrets: m.Secrets,
		Outputs: m.Outputs, PassEnv: m.PassEnv, Idempotency: m.Submission.Idempotency, Resources: m.Schema.Honours,
		Prerequisites: m.Prerequisites, Permissions: m.Permissions, Attributes: []attributeItem{}}
	for _, k := range m.EnvironmentKinds {
		out.EnvironmentOn = append(out.EnvironmentOn, kindItem{Kind: k.Name, AppliesWhen: m.KindCondition(k.Name)})
	}
	for _, at := range m.Schema.Attributes {
		item := attributeItem{Name: at.Name, Kind: at.Kind.String(), Type: at.TypeString(), Required: at.Required(),
			Default: defaultText(at), Description: at.Description, Sensitive: at.Sensitive, Deprecated: at.Deprecated, Aliases: at.Aliases}
		for _, v := range at.OneOf {
			item.OneOf = append(item.OneOf, schema.Literal(v))
		}
		out.Attributes = append(out.Attributes, item)
	}
	return out
}

// defaultText is an attribute's default as HCL; "" for none.
func defaultText(at *schema.Attribute) string {
	if at.Default == cty.NilVal || at.Default.IsNull() {
		return ""
	}
	return schema.Literal(at.Default)
}

func (a *app) flavorDescribe() *cobra.Command {
	return command("describe NAME[@VERSION]", "Say what a flavor is, takes and promises", cobra.Command{
		Aliases: []string{"show"},
		Args:    arguments(1, "a flavor"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			f, err := cat.Flavor(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			m, err := f.Manifest(cmd.Context())
			if err != nil {
				return err
			}
			item := itemOfFlavor(f)
			item.Manifest = itemOfManifest(m)
			err = a.item(item, func(w io.Writer) error { return describeFlavor(w, f, m) })
			for _, w := range f.Warnings {
				a.warn(w)
			}
			return err
		},
	})
}

func describeFlavor(w io.Writer, f *registry.Flavor, m *manifest.Manifest) error {
	fmt.Fprintf(w, "%s: %s\n\n", f.Ref(), m.Summary)
	none := func(words []string) string {
		if len(words) == 0 {
			return "none"
		}
		return strings.Join(words, ", ")
	}
	facts := [][2]string{{"status", string(f.Status)}, {"from", f.From}}
	if i := f.Artifact; i == nil {
		facts = append(facts, [2]string{"implementation", "none here: it can be configured and validated, not launched"})
	} else {
		facts = append(facts, [2]string{"implementation", i.Path})
		if i.SHA256 != "" {
			facts = append(facts, [2]string{"pinned", "sha256:" + i.SHA256})
		}
		if i.Interpreter != nil {
			facts = append(facts, [2]string{"interpreter", strings.TrimSpace(i.Interpreter.Path + " " + i.Interpreter.Version)})
		}
	}
	if u := f.Unpinned(); len(u) > 0 {
		facts = append(facts, [2]string{"not pinned", strings.Join(u, ", ")})
	}
	facts = append(facts,
		[2]string{"environment", none(environments(m))}, [2]string{"resources", none(m.Schema.Honours)},
		[2]string{"secrets", m.Secrets}, [2]string{"outputs", m.Outputs}, [2]string{"capabilities", none(m.Capabilities)})
	if len(m.PassEnv) > 0 {
		facts = append(facts, [2]string{"gets from your environment", none(m.PassEnv)})
	}
	for _, p := range facts {
		fmt.Fprintf(w, "  %-28s%s\n", p[0], p[1])
	}
	describeAttributes(w, "Config (fixed on the operator)", m.Schema, schema.Config)
	describeAttributes(w, "Settings (default on the operator, a step may override)", m.Schema, schema.Setting)
	_, err := fmt.Fprintf(w, "\nThe whole page: stephost flavor docs %s\n", f.Name)
	return err
}

// environments are the kinds, with the conditions of those that have one.
func environments(m *manifest.Manifest) []string {
	words := slices.Clone(m.Environments)
	for i, name := range words {
		if when := m.KindCondition(name); when != "" {
			words[i] += " (when " + when + ")"
		}
	}
	return words
}

func describeAttributes(w io.Writer, title string, s *schema.Schema, kind schema.Kind) {
	begun := false
	for _, at := range s.Attributes {
		if at.Kind != kind {
			continue
		}
		if !begun {
			fmt.Fprintf(w, "\n%s:\n", title)
			begun = true
		}
		fmt.Fprintf(w, "  %s  %s\n", at.Name, at.TypeString())
		for _, line := range wrap(attributeUsage(at), helpWidth-6) {
			fmt.Fprintf(w, "      %s\n", line)
		}
	}
}

// attributeUsage is what the help says about an attribute.
func attributeUsage(at *schema.Attribute) string {
	parts := []string{strings.TrimSpace(at.Description)}
	switch d := defaultText(at); {
	case at.Required():
		parts = append(parts, "Required.")
	case d != "":
		parts = append(parts, "Default "+d+".")
	}
	if len(at.OneOf) > 0 {
		var words []string
		for _, v := range at.OneOf {
			words = append(words, schema.Literal(v))
		}
		parts = append(parts, "One of "+strings.Join(words, ", ")+".")
	}
	if at.Min != cty.NilVal {
		parts = append(parts, "At least "+schema.Literal(at.Min)+".")
	}
	if at.Max != cty.NilVal {
		parts = append(parts, "At most "+schema.Literal(at.Max)+".")
	}
	if at.AppliesWhenText != "" {
		parts = append(parts, "Only when "+strings.Join(strings.Fields(at.AppliesWhenText), " ")+".")
	}
	if at.Sensitive {
		parts = append(parts, "Sensitive: env:NAME, @FILE or another source, never the value itself.")
	}
	if len(at.Aliases) > 0 {
		parts = append(parts, "Also called "+strings.Join(at.Aliases, ", ")+".")
	}
	if at.Deprecated != "" {
		parts = append(parts, "Deprecated: "+at.Deprecated)
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// manifestOf is the manifest of a known flavor, or of the file, directory or
// manifest at a path. Nothing is run.
func (a *app) manifestOf(ctx context.Context, ref string) (*manifest.Manifest, error) {
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	path := a.path(ref)
	_, statErr := os.Stat(path)
	isPath := strings.ContainsAny(ref, `/\`) || strings.HasSuffix(ref, ".hcl") || ref == "."
	if !isPath {
		f, err := cat.Flavor(ctx, ref)
		if err == nil {
			return f.Manifest(ctx)
		}
		if statErr != nil {
			return nil, err
		}
	}
	if errors.Is(statErr, os.ErrNotExist) {
		return nil, &problem.Error{Summary: "there is no file " + problem.Bound(path, 300), Next: "name a flavor (stephost flavor list), a plugin or a manifest"}
	}
	m, _, diags := manifest.Read(ctx, cat.Sources(), path)
	if diags.HasErrors() {
		return nil, diags
	}
	return m, nil
}

func (a *app) flavorDocs() *cobra.Command {
	return command("docs [NAME|FILE]", "Write a flavor's page, in Markdown", cobra.Command{
		Long: "Writes the page of a known flavor, or of the plugin, directory or manifest at a path (here, when none is given).",
		Args: arguments(0, "a flavor or a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref := manifest.FileName
			if len(args) > 0 {
				ref = args[0]
			}
			m, err := a.manifestOf(cmd.Context(), ref)
			if err != nil {
				return err
			}
			page := manifest.Markdown(m)
			return a.item(map[string]string{"name": m.Name, "version": m.Version, "markdown": string(page)}, func(w io.Writer) error {
				_, err := w.Write(page)
				return err
			})
		},
	})
}

func (a *app) flavorSchema() *cobra.Command {
	format := "json-schema"
	c := command("schema [NAME|FILE]", "Write a flavor's config and settings as a JSON Schema", cobra.Command{
		Long: `Writes the config and settings of one flavor. Without one it writes the schema
of a whole project file in HCL's JSON syntax, with every flavor that is here: what
an editor needs to complete and check it.`,
		Example: `  stephost flavor schema local
  stephost flavor schema > stephost.schema.json    for the files that -f reads as JSON`,
		Args: arguments(0, "a flavor or a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.projectSchema(cmd, format)
			}
			m, err := a.manifestOf(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			text := m.Source
			if format == "json-schema" {
				if text, err = manifest.JSONSchema(m); err != nil {
					return err
				}
			}
			_, err = a.stdout.Write(append(bytes.TrimRight(text, "\n"), '\n'))
			return err
		},
	})
	c.Flags().Var(&choice{to: &format, of: []string{"json-schema", "hcl"}}, "format", "json-schema, or hcl: the manifest itself")
	return c
}

// projectSchema writes the schema of a project file, with the newest version of
// each flavor that can be read.
func (a *app) projectSchema(cmd *cobra.Command, format string) error {
	ctx := cmd.Context()
	if format != "json-schema" {
		return arguments(1, "a flavor or a file")(cmd, nil)
	}
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	all, err := cat.Registry().Flavors(ctx)
	if err != nil {
		return err
	}
	var manifests []*manifest.Manifest
	seen := map[string]bool{}
	for _, f := range all {
		if f.Err != nil || seen[f.Name] {
			continue
		}
		m, err := f.Manifest(ctx)
		if err != nil {
			a.warn(fmt.Sprintf("%s is left out: %s", f.Ref(), errorText(err)))
			continue
		}
		seen[f.Name] = true
		manifests = append(manifests, m)
	}
	out, err := project.JSONSchema(manifests)
	if err == nil {
		_, err = a.stdout.Write(out)
	}
	return err
}

func (a *app) flavorStamp() *cobra.Command {
	return command("stamp FILE...", "Renew the header line of manifests, after a change (for authors)", cobra.Command{
		Long: `Checks each manifest and writes its first line anew: length and hash, by which
it is found inside a plugin that embeds it. A file that is right is not touched.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return arguments(1, "the FILE of a manifest")(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			var diags hcl.Diagnostics
			texts := make([][]byte, len(args))
			for i, arg := range args {
				data, err := readBounded(a.path(arg), manifest.MaxManifest)
				if err != nil {
					return err
				}
				_, found := manifest.Parse(cat.Sources(), arg, data)
				diags, texts[i] = append(diags, found...), data
			}
			if diags.HasErrors() {
				return diags
			}
			for i, arg := range args {
				stamped := manifest.Stamp(texts[i])
				if bytes.Equal(stamped, texts[i]) {
					continue
				}
				if err := replaceFile(a.path(arg), stamped); err != nil {
					return &problem.Error{Summary: "cannot write " + arg, Err: err, Next: "check its permissions"}
				}
				if err := a.done("%s stamped", arg); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &problem.Error{Summary: "cannot read " + problem.Bound(path, 300), Err: errors.Unwrap(err), Next: "check the path"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, &problem.Error{Summary: "cannot read " + problem.Bound(path, 300), Err: err, Next: "name a file"}
	case int64(len(data)) > limit:
		return nil, &problem.Error{Summary: fmt.Sprintf("%s is larger than %d bytes", problem.Bound(path, 300), limit), Next: "name another file"}
	}
	return data, nil
}

// replaceFile writes beside the file and renames: a reader never sees half.
func replaceFile(path string, data []byte) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	t, err := os.CreateTemp(filepath.Dir(path), ".stephost-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	_, err = t.Write(data)
	if err := errors.Join(err, t.Chmod(mode), t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}
