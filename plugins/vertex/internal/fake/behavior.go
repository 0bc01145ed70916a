package fake

import (
	"fmt"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// CheckBehavior walks a request by the vendor's own descriptors: what they call
// REQUIRED must be set, what they call OUTPUT_ONLY may not, and every value of
// an enumeration must be one that it has.
func CheckBehavior(m proto.Message) error { return checkBehavior(m.ProtoReflect(), "") }

func checkBehavior(m protoreflect.Message, path string) error {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		at := path + string(f.Name())
		for _, b := range behaviors(f) {
			switch {
			case b == annotations.FieldBehavior_REQUIRED && !m.Has(f) && !scalarZero(f):
				return fmt.Errorf("%s is required", at)
			case b == annotations.FieldBehavior_OUTPUT_ONLY && m.Has(f):
				return fmt.Errorf("%s is output only", at)
			}
		}
		if !m.Has(f) {
			continue
		}
		if err := checkValue(f, m.Get(f), at); err != nil {
			return err
		}
	}
	return nil
}

// scalarZero: a required text that is empty is not told apart from one that is
// missing, but an environment variable may well be empty (EnvVar.value).
func scalarZero(f protoreflect.FieldDescriptor) bool {
	return f.FullName() == "google.cloud.aiplatform.v1.EnvVar.value"
}

func checkValue(f protoreflect.FieldDescriptor, v protoreflect.Value, at string) error {
	switch {
	case f.IsList():
		for i := range v.List().Len() {
			if f.Message() != nil {
				if err := checkBehavior(v.List().Get(i).Message(), fmt.Sprintf("%s[%d].", at, i)); err != nil {
					return err
				}
			}
		}
	case f.IsMap():
	case f.Message() != nil:
		return checkBehavior(v.Message(), at+".")
	case f.Enum() != nil:
		if f.Enum().Values().ByNumber(v.Enum()) == nil {
			return fmt.Errorf("%s has no value %d", at, v.Enum())
		}
	}
	return nil
}

func behaviors(f protoreflect.FieldDescriptor) []annotations.FieldBehavior {
	o, ok := f.Options().(*descriptorpb.FieldOptions)
	if !ok || o == nil {
		return nil
	}
	b, _ := proto.GetExtension(o, annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return b
}

// OutputOnly tells whether only the service sets a field.
func OutputOnly(f protoreflect.FieldDescriptor) bool {
	for _, b := range behaviors(f) {
		if b == annotations.FieldBehavior_OUTPUT_ONLY {
			return true
		}
	}
	return false
}
