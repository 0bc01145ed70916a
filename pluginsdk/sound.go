package pluginsdk

import (
	"context"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxText bounds every string of an answer that has no smaller limit of its own;
// only a plan's request may be as long as a message.
const maxText = 64 << 10

// soundService is the contract's service whose answers all pass through sound. One
// string that is no UTF-8 would fail the whole message, and with it what a job's
// end is known by, each time anew.
func soundService() *grpc.ServiceDesc {
	d := operatorv1.StepOperator_ServiceDesc
	d.Methods = append([]grpc.MethodDesc(nil), d.Methods...)
	for i := range d.Methods {
		handle := d.Methods[i].Handler
		d.Methods[i].Handler = func(srv any, ctx context.Context, decode func(any) error, in grpc.UnaryServerInterceptor) (any, error) {
			answer, err := handle(srv, ctx, decode, in)
			if err == nil {
				sound(answer)
			}
			return answer, err
		}
	}
	d.Streams = append([]grpc.StreamDesc(nil), d.Streams...)
	for i := range d.Streams {
		handle := d.Streams[i].Handler
		d.Streams[i].Handler = func(srv any, stream grpc.ServerStream) error {
			return handle(srv, soundStream{stream})
		}
	}
	return &d
}

type soundStream struct{ grpc.ServerStream }

func (s soundStream) SendMsg(m any) error {
	sound(m)
	return s.ServerStream.SendMsg(m)
}

// sound makes every string of an answer valid UTF-8 and bounded.
func sound(answer any) {
	if m, ok := answer.(proto.Message); ok && m.ProtoReflect().IsValid() {
		soundMessage(m.ProtoReflect())
	}
}

func soundMessage(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch kind := field.Kind(); {
		case kind == protoreflect.StringKind && field.IsList():
			list := v.List()
			for i := range list.Len() {
				if old := list.Get(i).String(); old != bound(old, maxText) {
					list.Set(i, protoreflect.ValueOfString(bound(old, maxText)))
				}
			}
		case kind == protoreflect.StringKind:
			old, limit := v.String(), maxText
			if _, whole := m.Interface().(*operatorv1.PlanResponse); whole {
				limit = len(old) * len("\uFFFD")
			}
			if text := bound(old, limit); text != old {
				m.Set(field, protoreflect.ValueOfString(text))
			}
		case kind == protoreflect.MessageKind && field.IsList():
			if field.Message().Name() == "LogEntry" {
				break // there are thousands, and LogWriter made them sound
			}
			for i := range v.List().Len() {
				soundMessage(v.List().Get(i).Message())
			}
		case kind == protoreflect.MessageKind:
			soundMessage(v.Message())
		}
		return true
	})
}
