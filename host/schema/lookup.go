package schema

import (
	"slices"
	"strings"
)

// Lookup finds an attribute by name or alias; "-" equals "_". It is nil when
// there is none.
func (s *Schema) Lookup(name string) *Attribute {
	name = strings.ReplaceAll(name, "-", "_")
	for _, a := range s.Attributes {
		if a.Name == name {
			return a
		}
	}
	for _, a := range s.Attributes {
		if slices.Contains(a.Aliases, name) {
			return a
		}
	}
	return nil
}

// names are all names and aliases of a kind, for suggestions.
func (s *Schema) names(kinds ...Kind) []string {
	var out []string
	for _, a := range s.Attributes {
		if slices.Contains(kinds, a.Kind) {
			out = append(append(out, a.Name), a.Aliases...)
		}
	}
	return out
}
