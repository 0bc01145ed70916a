package main

import (
	"context"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk"
)

// Cancel asks Modal to end the sandbox, and returns when it has accepted: it
// counts as cancelled when its result says so. There is neither a grace nor a
// harder way; what the process gets before it ends is Modal's.
func (f *flavor) Cancel(ctx context.Context, c Config, h pluginsdk.Handle, _ pluginsdk.CancelOptions) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	q, err := f.open(ctx, c)
	if err != nil {
		return err
	}
	call := q.Stub.SandboxTerminate
	if d.newer() {
		call = q.Stub.SandboxTerminateV2
	}
	r, err := call(ctx, pb.SandboxTerminateRequest_builder{SandboxId: d.Sandbox}.Build())
	switch {
	case api.IsNotFound(err):
		return pluginsdk.ErrAlreadyOver
	case err != nil:
		return q.ask(err)
	case r.GetExistingResult().GetStatus() != pb.GenericResult_GENERIC_STATUS_UNSPECIFIED:
		return pluginsdk.ErrAlreadyOver
	}
	return nil
}
