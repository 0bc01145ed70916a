package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/smalldisk"
)

// A disk without room for the job's record: certainly nothing was started, so the host
// sends the same request again until there is room.
func TestNoRoomIsNotSent(t *testing.T) {
	root := t.TempDir()
	// Detached: the runner, which has let go of the job, may not have ended yet.
	smalldisk.Mount(t, root, "4m", syscall.MNT_DETACH)
	h := newHarness(t)
	h.state, h.target = jobdir.At(root), h.targetAt(root)
	scope, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.target})
	require.NoError(t, err)
	h.target.Scope = scope.GetScope()

	hog := filepath.Join(root, "hog")
	f, err := os.Create(hog)
	require.NoError(t, err)
	for page := bytes.Repeat([]byte{1}, 4096); err == nil; {
		_, err = f.Write(page)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())

	s := h.command("full", "true")
	r := h.submit(s)
	require.NotNil(t, r.GetNotSent(), "%v", r)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, r.GetNotSent().GetCouldNotAsk().GetReason())
	assert.Contains(t, r.GetNotSent().GetCouldNotAsk().GetDiagnostic().String(), "no room")

	require.NoError(t, os.Remove(hog))
	end, _ := h.watch(s.Key, h.accepted(s))
	assert.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase)
}
