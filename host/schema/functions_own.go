package schema

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/stephost/stephost/host/diag"
)

// Functions that Terraform has and the HCL library lacks, and those of the
// library that a short text can make to eat all memory.
var (
	startsWith  = twoStrings(strings.HasPrefix)
	endsWith    = twoStrings(strings.HasSuffix)
	strContains = twoStrings(strings.Contains)

	baseName = oneString(func(s string) (string, error) { return path.Base(s), nil })
	dirName  = oneString(func(s string) (string, error) { return path.Dir(s), nil })

	base64Encode = oneString(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil })
	base64Decode = oneString(func(s string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", errors.New("not valid base64")
		}
		if !utf8.Valid(b) {
			return "", errors.New("the decoded bytes are not UTF-8 text")
		}
		return string(b), nil
	})
	sha256Hex = oneString(func(s string) (string, error) {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:]), nil
	})

	allTrue = boolList(true)
	anyTrue = boolList(false)

	// length also counts the characters of a string.
	length = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.String {
				return stdlib.Strlen(args[0])
			}
			if args[0].Type() == cty.DynamicPseudoType {
				return cty.UnknownVal(cty.Number).WithSameMarks(args[0]), nil
			}
			if ty := args[0].Type(); ty.IsObjectType() {
				return cty.NumberIntVal(int64(len(ty.AttributeTypes()))).WithSameMarks(args[0]), nil
			}
			return stdlib.Length(args[0])
		},
	})

	// replace takes a part between slashes as a regular expression.
	replace = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}, {Name: "by", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, part, by := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if len(part) > 1 && part[0] == '/' && part[len(part)-1] == '/' {
				re, err := regexp.Compile(part[1 : len(part)-1])
				if err != nil {
					return cty.NilVal, function.NewArgError(1, err)
				}
				// Each $ may stand for all that was found.
				found := len(re.FindAllStringIndex(text, -1))
				if err := makes(len(text), times(found, len(by)), times(strings.Count(by, "$"), len(text))); err != nil {
					return cty.NilVal, err
				}
				return cty.StringVal(re.ReplaceAllString(text, by)), nil
			}
			if err := makes(len(text), times(strings.Count(text, part), len(by))); err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(strings.ReplaceAll(text, part, by)), nil
		},
	})

	sum = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			total := cty.Zero
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				switch {
				case !e.IsKnown():
					return cty.UnknownVal(cty.Number), nil
				case e.IsNull():
					return cty.NilVal, errors.New("the list holds null")
				}
				total = total.Add(e)
			}
			return total, nil
		},
	})

	// toNumber refuses numbers whose digits fill the memory.
	toNumber = guarded(stdlib.MakeToFunc(cty.Number), func(args []cty.Value) error {
		if v := args[0]; v.Type() == cty.String && !diag.NumberFits(v.AsString()) {
			return errors.New("the number is too large")
		}
		return nil
	})

	// jsonDecode refuses nesting that would overflow the stack.
	jsonDecode = guarded(stdlib.JSONDecodeFunc, func(args []cty.Value) error {
		depth, quoted := 0, false
		s := args[0].AsString()
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '[' || c == '{':
				if depth++; depth > diag.MaxNesting {
					return fmt.Errorf("the JSON nests more than %d deep", diag.MaxNesting)
				}
			case c == ']' || c == '}':
				depth--
			case (c == 'e' || c == 'E') && i > 0:
				if !diag.NumberFits("1" + s[i:min(i+20, i+numberEnd(s[i:]))]) {
					return errors.New("the JSON holds a number that is too large")
				}
			}
		}
		return nil
	})

	// jsonEncode writes numbers with all digits.
	jsonEncode = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowNull: true, AllowUnknown: true}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.String).RefineNotNull(), nil
			}
			b, err := JSON(args[0])
			return cty.StringVal(string(b)), err
		},
	})

	// A width of nine digits would make a gigabyte of spaces.
	format = guarded(stdlib.FormatFunc, func(args []cty.Value) error {
		return checkFormat(args, 1, func(v cty.Value) int { return diag.Weight(v, diag.MaxWork) })
	})
	formatList = guarded(stdlib.FormatListFunc, func(args []cty.Value) error {
		rounds := 1
		for _, v := range args {
			rounds = max(rounds, count(v))
		}
		return checkFormat(args, rounds, largest)
	})

	// Of the library's functions these make much of little, or compare everything with
	// everything.
	join = guarded(stdlib.JoinFunc, func(args []cty.Value) error {
		elements := 0
		for _, list := range args[1:] {
			elements += count(list)
		}
		return makes(times(elements, len(args[0].AsString())))
	})
	indent = function.New(&function.Spec{
		Params: stdlib.IndentFunc.Params(),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			by, _ := args[0].AsBigFloat().Float64()
			if lines := float64(strings.Count(args[1].AsString(), "\n")); by*lines > diag.MaxWork {
				return cty.NilVal, errTooMuch
			}
			return stdlib.IndentFunc.Call(args)
		},
	})
	regexAll = guarded(stdlib.RegexAllFunc, func(args []cty.Value) error {
		if args[1].IsNull() || !args[1].IsKnown() || args[1].IsMarked() {
			return nil
		}
		return makes(times(1+strings.Count(args[0].AsString(), "("), len(args[1].AsString())))
	})
	distinct = guarded(stdlib.DistinctFunc, func(args []cty.Value) error {
		return makes(times(count(args[0]), count(args[0])))
	})
)

var errTooMuch = errors.New("the result is too large, or would take too long")

// makes refuses a result of more than diag.MaxWork bytes.
func makes(parts ...int) error {
	sum := 0
	for _, n := range parts {
		if sum += min(n, tooMuch); sum > diag.MaxWork {
			return errTooMuch
		}
	}
	return nil
}

const tooMuch = diag.MaxWork + 1

// times is a product, or tooMuch.
func times(factors ...int) int {
	product := 1
	for _, n := range factors {
		if n > 0 && product > tooMuch/n {
			return tooMuch
		}
		product *= n
	}
	return product
}

// count is the number of elements, as far as they are known.
func count(list cty.Value) int {
	list, _ = list.Unmark()
	if list.IsNull() || !list.IsKnown() || !list.CanIterateElements() {
		return 0
	}
	return list.LengthInt()
}

// numberEnd is the length of the exponent at the start of s.
func numberEnd(s string) int {
	n := 1
	for n < len(s) && strings.IndexByte("+-0123456789", s[n]) >= 0 {
		n++
	}
	return n
}

// checkFormat bounds what format makes in so many rounds; shown is the largest text that
// a verb can make of an argument in one.
func checkFormat(args []cty.Value, rounds int, shown func(cty.Value) int) error {
	if args[0].Type() != cty.String {
		return nil
	}
	digits, width, widest := 0, 0, 0
	inVerb := false
	for _, c := range args[0].AsString() {
		switch {
		case c == '%':
			inVerb, digits, width = !inVerb, 0, 0
		case inVerb && c >= '0' && c <= '9':
			width = 10*width + int(c-'0')
			widest = max(widest, width)
			if digits++; digits > 4 {
				return errors.New("a width or precision may have four digits")
			}
		case inVerb && strings.ContainsRune("+-# .[]*", c):
			digits, width = 0, 0
		default:
			inVerb, digits = false, 0
		}
	}
	most := 0
	for _, v := range args[1:] {
		most = max(most, shown(v))
	}
	text := args[0].AsString()
	return makes(times(rounds, len(text)), times(rounds, strings.Count(text, "%"), most+widest))
}

// largest is the weight of the largest element of a list, or of a value that is none.
func largest(v cty.Value) int {
	list, _ := v.Unmark()
	if count(list) == 0 {
		return diag.Weight(v, diag.MaxWork)
	}
	most := 0
	for it := list.ElementIterator(); it.Next(); {
		_, e := it.Element()
		most = max(most, diag.Weight(e, diag.MaxWork))
	}
	return most
}

// guarded is f with a check of its arguments, which sees them when they are
// known.
func guarded(f function.Function, check func(args []cty.Value) error) function.Function {
	safe := func(args []cty.Value) error {
		for _, v := range args[:min(1, len(args))] {
			if v.IsNull() || !v.IsKnown() || v.IsMarked() {
				return nil
			}
		}
		return check(args)
	}
	return function.New(&function.Spec{
		Params: f.Params(), VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := safe(args); err != nil {
				return cty.NilType, function.NewArgError(0, err)
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

func oneString(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			return cty.StringVal(s), err
		},
	})
}

func twoStrings(f func(a, b string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// boolList is alltrue (all = true) or anytrue.
func boolList(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			out := cty.BoolVal(all)
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				switch {
				case e.IsNull():
					e = cty.False
				case !e.IsKnown():
					out = cty.UnknownVal(cty.Bool)
					continue
				}
				if e.True() != all {
					return cty.BoolVal(!all), nil
				}
			}
			return out, nil
		},
	})
}
