package main

import (
	"context"
	"reflect"

	"github.com/stephost/stephost/pluginsdk"
)

// Plan shows the CreateTrainingJob that Submit would send, as JSON with the
// names of the API. Secrets are references.
func (g *sagemaker) Plan(ctx context.Context, c Config, s *pluginsdk.Step, online bool) (pluginsdk.Plan, error) {
	p := placeOf(s.Scope)
	if online && !p.known() {
		cl, err := g.open(ctx, c)
		if err == nil {
			p, err = cl.place(ctx)
		}
		if err != nil {
			return pluginsdk.Plan{}, err
		}
	}
	b, err := build(c, p, s)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	s.WarnAll(b.warnings)
	shown := *b.input
	shown.Environment = map[string]string{}
	for name, value := range b.input.Environment {
		if b.secret[name] {
			value = "(secret)"
		}
		shown.Environment[name] = value
	}
	return pluginsdk.JSONPlan(filled(reflect.ValueOf(shown)), b.notes)
}

// filled is v without what is not set, as it goes over the wire. The API's types
// have no tags for that; their field names are the API's.
func filled(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return filled(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if one := filled(v.Field(i)); f.IsExported() && one != nil {
				out[f.Name] = one
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = filled(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.Len() == 0 {
			return nil
		}
		return v.Interface()
	case reflect.String:
		// An enum that is not set is the empty string; a pointer to one is a value.
		if v.Len() == 0 && v.Type() != reflect.TypeFor[string]() {
			return nil
		}
		return v.String()
	}
	if !v.CanInterface() {
		return nil
	}
	return v.Interface()
}
