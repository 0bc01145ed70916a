package pluginsdk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Capabilities that stand for an optional interface.
const (
	capPlan         = "plan"
	capFind         = "find"
	capLogs         = "logs"
	capCancel       = "cancel"
	capCleanup      = "cleanup"
	capPreflight    = "preflight"
	capPrepare      = "prepare"
	capRegistryAuth = "registry_auth"
	capReadOutput   = "read_output"
)

// interfaceOf names the Go interface behind a capability, for messages.
func interfaceOf(capability string) string {
	switch capability {
	case capPlan:
		return "Planner"
	case capFind:
		return "Finder"
	case capLogs:
		return "LogReader"
	case capCleanup:
		return "Cleaner"
	case capPreflight:
		return "Preflighter"
	case capPrepare:
		return "Preparer"
	case capRegistryAuth:
		return "RegistryAuthorizer"
	case capReadOutput:
		return "OutputReader"
	}
	return ""
}

// maxManifest is the host's limit for a manifest.
const maxManifest = 256 << 10

// manifest is the little that the plugin itself must know of its flavor.hcl.
// The host reads and checks all of it.
type manifest struct {
	name, version string
	protocol      []int32
	handles       []uint32 // versions of handles that it reads
	capabilities  []string
	idempotency   string
	config        []string // names of the config attributes
	digest        string   // "sha256:<hex>" of the bytes behind the header line
	source        []byte   // the bytes behind the header line
}

// headerPrefix begins the line that `stephost flavor stamp` writes. It is put
// together at run time: a binary that held the literal would look like a file
// with a manifest inside.
func headerPrefix() string {
	return strings.Join([]string{"#!stephost", "flavor", "manifest", "v1"}, " ") + " "
}

// readManifest reads the manifest that the plugin was built with.
func readManifest(data []byte) (*manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes, more than %d", len(data), maxManifest)
	}
	body := data
	stamped := ""
	if line, rest, ok := bytes.Cut(data, []byte("\n")); ok && bytes.HasPrefix(line, []byte(headerPrefix())) {
		body = rest
		if fields := strings.Fields(string(line)); len(fields) > 0 {
			stamped = fields[len(fields)-1]
		}
	}
	sum := sha256.Sum256(body)
	m := &manifest{digest: "sha256:" + hex.EncodeToString(sum[:]), source: body}
	if stamped != "" && stamped != m.digest {
		return nil, fmt.Errorf("the manifest was changed after it was stamped: run `go generate` (or `stephost flavor stamp flavor.hcl`) and build again")
	}
	file, diags := hclsyntax.ParseConfig(body, "flavor.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("the manifest cannot be read: %w", diags)
	}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != "flavor" || len(block.Labels) != 1 {
			continue
		}
		if m.name != "" {
			return nil, fmt.Errorf("the manifest has more than one flavor block")
		}
		m.name = block.Labels[0]
		if err := m.read(block.Body); err != nil {
			return nil, err
		}
	}
	if m.name == "" || m.version == "" || len(m.protocol) == 0 {
		return nil, fmt.Errorf(`the manifest needs: flavor "NAME" { version = "..." protocol = [1] }`)
	}
	return m, nil
}

func (m *manifest) read(body *hclsyntax.Body) error {
	get := func(b *hclsyntax.Body, name string, want cty.Type) (cty.Value, error) {
		attr, ok := b.Attributes[name]
		if !ok {
			return cty.NullVal(want), nil
		}
		v, diags := attr.Expr.Value(nil)
		if diags.HasErrors() {
			return v, fmt.Errorf("the manifest's %s: %w", name, diags)
		}
		v, err := convert.Convert(v, want)
		if err != nil || !v.IsWhollyKnown() {
			return v, fmt.Errorf("the manifest's %s must be %s", name, want.FriendlyName())
		}
		return v, nil
	}
	version, err := get(body, "version", cty.String)
	if err != nil {
		return err
	}
	if !version.IsNull() {
		m.version = version.AsString()
	}
	protocol, err := get(body, "protocol", cty.List(cty.Number))
	if err != nil {
		return err
	}
	for _, v := range elements(protocol) {
		n, _ := v.AsBigFloat().Int64()
		m.protocol = append(m.protocol, int32(n))
	}
	m.handles = []uint32{1}
	handles, err := get(body, "handles", cty.List(cty.Number))
	if err != nil {
		return err
	}
	if !handles.IsNull() {
		m.handles = nil
	}
	for _, v := range elements(handles) {
		n, _ := v.AsBigFloat().Uint64()
		m.handles = append(m.handles, uint32(n))
	}
	capabilities, err := get(body, "capabilities", cty.List(cty.String))
	if err != nil {
		return err
	}
	for _, v := range elements(capabilities) {
		m.capabilities = append(m.capabilities, v.AsString())
	}
	for _, block := range body.Blocks {
		switch {
		case block.Type == "submission":
			v, err := get(block.Body, "idempotency", cty.String)
			if err != nil {
				return err
			}
			if !v.IsNull() {
				m.idempotency = v.AsString()
			}
		case block.Type == "config" && len(block.Labels) == 1:
			m.config = append(m.config, block.Labels[0])
		}
	}
	return nil
}

// elements returns the elements of a list that are not null.
func elements(list cty.Value) []cty.Value {
	if list.IsNull() {
		return nil
	}
	return slices.DeleteFunc(list.AsValueSlice(), cty.Value.IsNull)
}

// agree compares the capabilities of the manifest with what the Go type
// implements. Both directions are errors: one would fail at launch, the other
// would be code that never runs. all = false allows a manifest that declares
// less, for what the SDK brings by itself.
func (m *manifest) agree(have map[string]bool, all bool) error {
	var wrong []string
	for _, c := range m.capabilities {
		implemented, known := have[c]
		switch {
		case !known:
			wrong = append(wrong, fmt.Sprintf("  %q is no capability of this kind of flavor", c))
		case !implemented:
			wrong = append(wrong, fmt.Sprintf("  %q stands in the manifest, but the type does not implement pluginsdk.%s", c, interfaceOf(c)))
		}
	}
	for _, c := range slices.Sorted(maps.Keys(have)) {
		// Cancel is a method of every kind: a manifest may leave it out where the
		// backend has no cancel.
		if all && have[c] && c != capCancel && !slices.Contains(m.capabilities, c) {
			wrong = append(wrong, fmt.Sprintf("  the type implements pluginsdk.%s, but %q is missing in the manifest's capabilities", interfaceOf(c), c))
		}
	}
	if m.idempotency == "search" && !have[capFind] {
		wrong = append(wrong, `  idempotency = "search" needs pluginsdk.Finder`)
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("the flavor's code and its manifest do not agree:\n%s", strings.Join(wrong, "\n"))
}
