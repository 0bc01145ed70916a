// Package manifests holds the manifests of the three fault flavors. They are
// made from one text; it is no manifest by itself, so that a program that holds
// it does not look like a file with a manifest inside.
package manifests

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
)

// The variants, by what the backend can promise about a creating call.
const (
	// Key: the backend takes the key as the job's name and refuses a second one.
	Key = "key"
	// Search: the backend chooses names; jobs are found by label, maybe late.
	Search = "search"
	// None: there is no way to find a job again.
	None = "none"
)

// Variants are all of them.
func Variants() []string { return []string{Key, Search, None} }

// Flavor is the name of the flavor of a variant.
func Flavor(variant string) string { return "fault-" + variant }

//go:embed flavor.hcl.tmpl
var text string

// Version is that of the flavors, unless a test wants a second one.
const Version = "0.1.0"

// For returns the manifest of a variant, without a header line.
func For(variant string) ([]byte, error) { return ForVersion(variant, Version) }

// ForVersion returns that of another version, which is the same otherwise.
func ForVersion(variant, version string) ([]byte, error) {
	switch variant {
	case Key, Search, None:
	default:
		return nil, fmt.Errorf("there is no fault flavor %q", variant)
	}
	t, err := template.New("flavor.hcl").Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Name": Flavor(variant), "Version": version, "Variant": variant, "Find": variant != None, "Key": variant == Key,
	})
	return out.Bytes(), err
}
