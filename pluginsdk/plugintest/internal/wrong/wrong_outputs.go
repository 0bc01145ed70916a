package main

import (
	"google.golang.org/grpc"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// outputs passes on what the right server says of an output, but for what the
// mode changes.
type outputs struct {
	grpc.ServerStreamingServer[operatorv1.ReadOutputResponse]
	w      *wrong
	offset int64
}

// ReadOutput is wrong in "output-offset", "output-short" and "any-output".
func (w *wrong) ReadOutput(q *operatorv1.ReadOutputRequest, stream grpc.ServerStreamingServer[operatorv1.ReadOutputResponse]) error {
	out := &outputs{ServerStreamingServer: stream, w: w, offset: q.GetRead().GetOffset()}
	r := &operatorv1.ReadOutputRequest{Target: w.target(q.GetTarget()), Handle: w.handle(q.GetHandle()), Key: q.GetKey(), Location: q.GetLocation(), What: q.GetWhat()}
	if w.is("output-offset") && r.GetRead() != nil {
		r.What = &operatorv1.ReadOutputRequest_Read_{Read: &operatorv1.ReadOutputRequest_Read{Name: q.GetRead().GetName()}}
	}
	return w.Server.ReadOutput(r, out)
}

// Send changes a message.
func (o *outputs) Send(m *operatorv1.ReadOutputResponse) error {
	switch {
	case o.w.is("output-offset") && m.GetFile() != nil:
		m.GetFile().Offset = o.offset // and the bytes come from the beginning
	case o.w.is("output-short") && m.GetData() != nil && len(m.GetData()) < 256<<10:
		return nil // the last, smaller piece
	case o.w.is("any-output") && len(m.GetDiagnostics()) > 0:
		return o.ServerStreamingServer.Send(&operatorv1.ReadOutputResponse{Part: &operatorv1.ReadOutputResponse_Done_{Done: &operatorv1.ReadOutputResponse_Done{}}})
	}
	return o.ServerStreamingServer.Send(m)
}
