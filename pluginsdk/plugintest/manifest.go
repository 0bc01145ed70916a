package plugintest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxManifest is the host's limit for a manifest.
const maxManifest = 256 << 10

// manifest is what the suite needs of a flavor.hcl. The host reads all of it and
// checks it; here it is taken as right.
type manifest struct {
	name, version string
	digest        string // "sha256:<hex>"
	embedded      bool   // the file itself holds it
	capabilities  []string
	environments  []string
	secrets       string
	handles       []uint32
	passEnv       []string
	tls           string
	exec          []string
	idempotency   string
	settle        time.Duration
	attributes    []*attribute
}

// attribute of the schema.
type attribute struct {
	name      string
	setting   bool
	ty        cty.Type
	defaults  *typeexpr.Defaults
	def       cty.Value // cty.NilVal = required
	sensitive bool
	aliases   []string
}

// label is the attribute in a sentence.
func (a *attribute) label() string {
	if a.setting {
		return fmt.Sprintf("the setting %q", a.name)
	}
	return fmt.Sprintf("the config attribute %q", a.name)
}

// locate finds the text of the manifest of c.
func locate(c *Config) (text []byte, embedded bool, err error) {
	if c.Manifest != nil {
		_, body := splitHeader(c.Manifest)
		return body, false, nil
	}
	inside, err := scanFile(c.Plugin)
	if err != nil {
		return nil, false, fmt.Errorf("plugintest: looking for a manifest inside of %s: %w", c.Plugin, err)
	}
	if inside != nil {
		return inside, true, nil
	}
	for _, path := range []string{
		strings.TrimSuffix(c.Plugin, ".exe") + ".flavor.hcl",
		filepath.Join(filepath.Dir(c.Plugin), "flavor.hcl"),
	} {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("plugintest: %w", err)
		}
		_, body := splitHeader(data)
		return body, false, nil
	}
	return nil, false, fmt.Errorf("plugintest: %s has no manifest: neither inside, nor %s.flavor.hcl or flavor.hcl beside it", c.Plugin, filepath.Base(c.Plugin))
}

// readManifest reads the manifest of c.
func readManifest(c *Config) (*manifest, error) {
	text, embedded, err := locate(c)
	if err != nil {
		return nil, err
	}
	if len(text) > maxManifest {
		return nil, fmt.Errorf("plugintest: the manifest has %d bytes, more than %d", len(text), maxManifest)
	}
	sum := sha256.Sum256(text)
	m := &manifest{digest: "sha256:" + hex.EncodeToString(sum[:]), embedded: embedded, secrets: "none", idempotency: "none", handles: []uint32{1}}
	file, diags := hclsyntax.ParseConfig(text, "flavor.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("plugintest: the manifest cannot be read: %w", diags)
	}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if b.Type == "flavor" && len(b.Labels) == 1 {
			m.name = b.Labels[0]
			if err := m.read(b.Body); err != nil {
				return nil, fmt.Errorf("plugintest: the manifest: %w", err)
			}
		}
	}
	if m.name == "" || m.version == "" {
		return nil, errors.New(`plugintest: the manifest needs: flavor "NAME" { version = "..." }`)
	}
	return m, nil
}

func (m *manifest) read(b *hclsyntax.Body) error {
	var err error
	text := func(b *hclsyntax.Body, name string, into *string) {
		if v, ok := literal(b, name, cty.String, &err); ok {
			*into = v.AsString()
		}
	}
	texts := func(b *hclsyntax.Body, name string, into *[]string) {
		if v, ok := literal(b, name, cty.List(cty.String), &err); ok {
			for _, e := range v.AsValueSlice() {
				*into = append(*into, e.AsString())
			}
		}
	}
	text(b, "version", &m.version)
	text(b, "secrets", &m.secrets)
	text(b, "tls", &m.tls)
	texts(b, "capabilities", &m.capabilities)
	texts(b, "environment", &m.environments)
	texts(b, "pass_env", &m.passEnv)
	if v, ok := literal(b, "handles", cty.List(cty.Number), &err); ok {
		m.handles = nil
		for _, e := range v.AsValueSlice() {
			n, _ := e.AsBigFloat().Uint64()
			m.handles = append(m.handles, uint32(n))
		}
	}
	for _, x := range b.Blocks {
		switch {
		case x.Type == "submission":
			text(x.Body, "idempotency", &m.idempotency)
			settle := ""
			text(x.Body, "settle", &settle)
			if d, bad := time.ParseDuration(settle); settle != "" && bad == nil {
				m.settle = d
			}
		case x.Type == "exec":
			texts(x.Body, "command", &m.exec)
		case (x.Type == "config" || x.Type == "setting") && len(x.Labels) == 1:
			a, bad := readAttribute(x)
			if bad != nil {
				return bad
			}
			m.attributes = append(m.attributes, a)
		}
	}
	return err
}

func readAttribute(b *hclsyntax.Block) (*attribute, error) {
	a := &attribute{name: b.Labels[0], setting: b.Type == "setting", ty: cty.DynamicPseudoType}
	if x, ok := b.Body.Attributes["type"]; ok {
		ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(x.Expr)
		if diags.HasErrors() {
			return nil, fmt.Errorf("the type of %s %q: %w", b.Type, a.name, diags)
		}
		a.ty, a.defaults = ty, defaults
	}
	var err error
	if v, ok := literal(b.Body, "sensitive", cty.Bool, &err); ok {
		a.sensitive = v.True()
	}
	if v, ok := literal(b.Body, "aliases", cty.List(cty.String), &err); ok {
		for _, e := range v.AsValueSlice() {
			a.aliases = append(a.aliases, e.AsString())
		}
	}
	if err != nil {
		return nil, err
	}
	if x, ok := b.Body.Attributes["default"]; ok {
		v, diags := x.Expr.Value(nil)
		if diags.HasErrors() {
			return nil, fmt.Errorf("the default of %s %q: %w", b.Type, a.name, diags)
		}
		if a.def, err = a.convert(v); err != nil {
			return nil, fmt.Errorf("the default of %s %q: %w", b.Type, a.name, err)
		}
	}
	return a, nil
}

// convert makes a value of the attribute's type, nested defaults applied.
func (a *attribute) convert(v cty.Value) (cty.Value, error) {
	if a.defaults != nil && !v.IsNull() {
		v = a.defaults.Apply(v)
	}
	return convert.Convert(v, a.ty) // which knows what is optional: null where it is not given
}

// literal is the value of an attribute that is present and not null.
func literal(b *hclsyntax.Body, name string, want cty.Type, err *error) (cty.Value, bool) {
	x, ok := b.Attributes[name]
	if !ok {
		return cty.NilVal, false
	}
	v, diags := x.Expr.Value(nil)
	if diags.HasErrors() {
		*err = errors.Join(*err, fmt.Errorf("%s: %w", name, diags))
		return cty.NilVal, false
	}
	v, bad := convert.Convert(v, want)
	if bad != nil || !v.IsWhollyKnown() {
		*err = errors.Join(*err, fmt.Errorf("%s must be %s", name, want.FriendlyName()))
		return cty.NilVal, false
	}
	return v, !v.IsNull()
}
