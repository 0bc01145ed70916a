package pluginsdk

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// roomy is a config whose place is made of the project.
type roomy struct {
	URL string `stephost:"url"`

	room string
}

func (c *roomy) SetProject(name string) { c.room = "room of " + name }

// rooms answers with the room that each call was given.
type rooms struct{ steps chan *Step }

func (r *rooms) Submit(_ context.Context, c roomy, s *Step) (Handle, error) {
	r.steps <- s
	return Handle{Data: []byte(c.room)}, nil
}

func (*rooms) Status(_ context.Context, c roomy, _ Handle) (Status, error) {
	return Status{Phase: Succeeded, Message: c.room}, nil
}

func (*rooms) Cancel(context.Context, roomy, Handle, CancelOptions) error { return nil }

func (*rooms) Scope(_ context.Context, c roomy) (Scope, error) { return Scope{ID: c.room}, nil }

func (*rooms) Find(_ context.Context, c roomy, _ Query) (Found, error) {
	return Found{Jobs: []Job{{Handle: Handle{Data: []byte(c.room), Key: testKey}}}}, nil
}

// Every call is for the project of its request: two projects with one operator do
// not get each other's scope from memory, nor each other's answers.
func TestProject(t *testing.T) {
	r := &rooms{steps: make(chan *Step, 10)}
	c := serveTest(t, benchManifest("cancel", "find"), RemoteOf[roomy](r))
	target := func(project string) *operatorv1.Target {
		to := testTarget("room of " + project)
		to.Project = project
		return to
	}
	for range 2 { // the second time the scopes are known
		for _, project := range []string{"digits", "", "räume\u2028/", "digits"} {
			want := "room of " + project
			scope, err := c.Scope(testContext(t), &operatorv1.ScopeRequest{Target: target(project)})
			require.NoError(t, err)
			assert.Equal(t, want, scope.GetScope().GetId())

			sent, err := c.Submit(testContext(t), &operatorv1.SubmitRequest{Target: target(project), Step: testStep()})
			require.NoError(t, err)
			assert.Equal(t, want, string(sent.GetAccepted().GetHandle().GetData()), "%v", sent)
			assert.Equal(t, project, (<-r.steps).Project)

			found, err := c.Find(testContext(t), &operatorv1.FindRequest{Target: target(project), By: &operatorv1.FindRequest_Key{Key: testKey}})
			require.NoError(t, err)
			require.Len(t, found.GetJobs(), 1, "%v", found)
			assert.Equal(t, want, string(found.GetJobs()[0].GetHandle().GetData()))

			stream, err := c.Watch(testContext(t), &operatorv1.WatchRequest{Target: target(project), Key: testKey,
				Handle: &operatorv1.Handle{Version: 1, Data: []byte("h")}, HeartbeatInterval: durationpb.New(time.Minute)})
			require.NoError(t, err)
			ends := terminals(collect(t, stream))
			require.Len(t, ends, 1)
			assert.Equal(t, want, ends[0].GetMessage())
		}
	}
	wrong := target("digits")
	wrong.Project = "other"
	stream, err := c.Watch(testContext(t), &operatorv1.WatchRequest{Target: wrong, Key: testKey,
		Handle: &operatorv1.Handle{Version: 1, Data: []byte("h")}, HeartbeatInterval: durationpb.New(time.Minute)})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, first.GetReachability().GetCouldNotAsk().GetReason(), "not the one in memory, of another project: %v", first)
	x, err := c.Cancel(testContext(t), &operatorv1.CancelRequest{Target: wrong, Handle: &operatorv1.Handle{Version: 1}, Key: testKey})
	require.NoError(t, err)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_WRONG_SCOPE, x.GetCouldNotAsk().GetReason(), "a scope that depends on the project holds for its project")
}
