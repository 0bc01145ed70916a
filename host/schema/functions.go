package schema

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Resolver gives the values behind env(), file() and secret(). Errors name what
// was looked for and never hold a value.
type Resolver interface {
	// Env is the value of an environment variable; unset is an error.
	Env(name string) (string, error)
	// File is the content of a file, at most MaxValue bytes of UTF-8. path is
	// absolute.
	File(path string) (string, error)
	// Secret resolves "file:PATH", "env:NAME", "cmd:COMMAND LINE" or
	// "keyring:SERVICE/NAME". One line break at the end of a file's or a
	// command's text is left out.
	Secret(ref string) (string, error)
}

// Mode says what env(), file() and secret() do.
type Mode int

const (
	// ModeValidate makes them unknown strings; secret() is marked Sensitive.
	ModeValidate Mode = iota
	// ModeReference makes them placeholders: the record of a run keeps a
	// template instead of the value. They may stand alone or inside a string
	// template, but no function can work on them (see CheckReferences for
	// operators).
	ModeReference
	// ModeResolve gives the values; secret() is marked Sensitive.
	ModeResolve
)

// Functions are the functions of stephost's HCL. r is used in ModeResolve
// only. Relative paths of file() and secret("file:...") start at baseDir. The
// map is the caller's.
func Functions(mode Mode, r Resolver, baseDir string) map[string]function.Function {
	out := maps.Clone(pure())
	if mode == ModeReference {
		for name, f := range out {
			out[name] = refuseReferences(name, f)
		}
	}
	out["env"] = outside("env", mode, func(name string) (string, error) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return "", fmt.Errorf("%q is no name of an environment variable", bounded(name))
		}
		return name, nil
	}, func(name string) (string, error) { return r.Env(name) }, r == nil)
	out["file"] = outside("file", mode, func(path string) (string, error) {
		if path == "" || strings.ContainsRune(path, 0) {
			return "", errors.New("a path is needed")
		}
		return absolute(baseDir, path), nil
	}, func(path string) (string, error) { return r.File(path) }, r == nil)
	out["secret"] = outside("secret", mode, func(ref string) (string, error) {
		return secretReference(ref, baseDir)
	}, func(ref string) (string, error) { return r.Secret(ref) }, r == nil)
	return out
}

// outside is a function that looks outside: env, file or secret. check makes
// the argument canonical.
func outside(kind string, mode Mode, check, resolve func(string) (string, error), blind bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "what", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			what, err := check(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			var v cty.Value
			switch {
			case mode == ModeReference:
				return cty.StringVal(reference(kind, what)), nil
			case mode == ModeValidate || blind:
				v = cty.UnknownVal(cty.String).RefineNotNull()
			default:
				text, err := resolve(what)
				if err != nil {
					return cty.NilVal, err
				}
				if HasReference(text) {
					return cty.NilVal, errors.New("the value holds control characters that stephost uses itself")
				}
				v = cty.StringVal(text)
			}
			if kind == "secret" {
				v = v.Mark(Sensitive)
			}
			return v, nil
		},
	})
}

// secretReference checks the argument of secret() and makes a file's path
// absolute.
func secretReference(ref, baseDir string) (string, error) {
	kind, what, _ := strings.Cut(ref, ":")
	switch {
	case strings.ContainsRune(ref, 0) || what == "":
	case kind == "file":
		return "file:" + absolute(baseDir, what), nil
	case kind == "env" || kind == "cmd" || kind == "keyring":
		return ref, nil
	}
	// The text itself may be the secret of somebody who took secret() for a
	// mark: it is not shown.
	return "", errors.New(`write secret("file:PATH"), secret("env:NAME"), secret("cmd:COMMAND LINE") or secret("keyring:SERVICE/NAME"); the value itself must not be written`)
}

// refuseReferences makes a function fail on placeholders, which it would
// otherwise change, measure or compare in silence.
func refuseReferences(name string, f function.Function) function.Function {
	refuse := func(args ...cty.Value) error {
		for _, v := range args {
			if holdsReference(v, func(string) bool { return true }) {
				return fmt.Errorf("%s() cannot work on env(), file() or secret() here: %s", name, referenceHelp)
			}
		}
		return nil
	}
	return function.New(&function.Spec{
		Params: f.Params(), VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := refuse(args...); err != nil {
				return cty.NilType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err == nil {
				err = refuse(v) // try() and can() get their arguments unevaluated
			}
			return v, err
		},
	})
}
