package operatorv1

import (
	"fmt"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Redacted stands in every text where a secret value would stand.
const Redacted = "(sensitive)"

// redacted is the text form of m with every Secret blanked. The generated
// String methods call it (`make generate` rewrites them), because the text form
// of google.golang.org/protobuf prints fields marked debug_redact.
func redacted(m protoreflect.ProtoMessage) string {
	if m == nil || !m.ProtoReflect().IsValid() {
		return "<nil>"
	}
	c := proto.Clone(m)
	blank(c.ProtoReflect())
	return prototext.MarshalOptions{}.Format(c)
}

// blank replaces the value of every Secret below m.
func blank(m protoreflect.Message) {
	if s, ok := m.Interface().(*Secret); ok {
		if s.Value != "" {
			s.Value = Redacted
		}
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
					blank(e.Message())
					return true
				})
			}
		case fd.IsList():
			if fd.Message() != nil {
				for i := range v.List().Len() {
					blank(v.List().Get(i).Message())
				}
			}
		case fd.Message() != nil:
			blank(v.Message())
		}
		return true
	})
}

// Format makes every fmt verb, %#v included, print the redacted form.
func (x *Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(Redacted))
}
