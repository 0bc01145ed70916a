package pluginsdk

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// A handle of a version that the manifest does not list never reaches the
// author's code: guessing at its content could tell, or end, another job.
func TestHandleVersions(t *testing.T) {
	var seen []uint32
	b := &bench{
		onStatus: func(_ context.Context, h Handle) (Status, error) {
			seen = append(seen, h.Version)
			return Status{Phase: Succeeded}, nil
		},
		onCancel: func(context.Context, Handle, CancelOptions) error { return nil },
	}
	manifest := bytes.Replace(benchManifest("cancel"), []byte("protocol = [1]"), []byte("protocol = [1]\n  handles = [1, 3]"), 1)
	c := serveTest(t, manifest, RemoteOf[benchConfig](b))
	for version, known := range map[uint32]bool{0: true, 1: true, 2: false, 3: true, 4: false} {
		h := &operatorv1.Handle{Version: version, Data: []byte("h")}
		r, err := c.Cancel(testContext(t), &operatorv1.CancelRequest{Target: testTarget(""), Key: testKey, Handle: h})
		require.NoError(t, err)
		assert.Equal(t, known, r.GetAccepted() != nil, "Cancel, version %d: %v", version, r)
		stream, err := c.Watch(testContext(t), &operatorv1.WatchRequest{Target: testTarget(""), Key: testKey, Handle: h})
		require.NoError(t, err)
		m, err := stream.Recv()
		if known {
			require.NoError(t, err)
			assert.NotNil(t, m.GetTerminal(), "Watch, version %d", version)
			continue
		}
		assert.Equal(t, codes.FailedPrecondition, status.Code(err))
		assert.ErrorContains(t, err, "use the version of the flavor that the run was launched with")
		assert.NotNil(t, r.GetCouldNotAsk())
	}
	assert.ElementsMatch(t, []uint32{1, 1, 3}, seen)
}
