package main

import (
	"context"
	"strings"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/plugins/modal/internal/api"
	"github.com/stephost/stephost/pluginsdk/label"
)

const (
	// ownApp is the app of what belongs to no project, and begins the names of all
	// apps that are stephost's to stop.
	ownApp = "stephost"
	// mostApp is the length of an app's name: Modal's limit of names is 64 (its Python
	// client, is_valid_object_name), and the manifest's 63.
	mostApp = 63
	// hashed is how much of a project's hash tells names apart that were fitted: 50
	// bits.
	hashed = 10
	// appsAtOnce bounds the apps that are asked for one run token at the same time.
	appsAtOnce = 8
)

// SetProject chooses the app of an operator that names none: the project's own.
func (c *Config) SetProject(name string) {
	c.Project = name
	if c.App == "" {
		c.App, c.ByProject = appOf(name), true
	}
}

// appOf is the app of a project. A name that Modal takes is there as it is; any
// other, and one that is too long, has the letters that can stay, and a hash.
func appOf(project string) string {
	if project == "" {
		return ownApp
	}
	const most = mostApp - len(ownApp+"-")
	fit := strings.Join(strings.FieldsFunc(project, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}), "-")
	if fit == project && len(fit) <= most {
		return ownApp + "-" + fit
	}
	name := ownApp + "-"
	if fit != "" {
		name += fit[:min(len(fit), most-len("-")-hashed)] + "-"
	}
	return name + label.Token(project)[:hashed]
}

// isOwn tells whether an app is stephost's, by its name.
func isOwn(app string) bool { return app == ownApp || strings.HasPrefix(app, ownApp+"-") }

// app is one that sandboxes are in.
type app struct{ id, name string }

// apps are those in which a run of this operator may be, wherever it was launched
// from. A token names its run from every directory: also from one that was
// renamed, and from outside of any project. So an operator that names no app asks
// all that are stephost's.
func (q *session) apps(ctx context.Context, environment string) ([]app, error) {
	id, err := q.appID(ctx, environment, false)
	if err != nil {
		return nil, err
	}
	var out []app
	if id != "" {
		out = append(out, app{id, q.c.App})
	}
	if !q.c.ByProject {
		return out, nil
	}
	r, err := q.Stub.AppList(ctx, pb.AppListRequest_builder{EnvironmentName: environment}.Build())
	if err != nil {
		return nil, q.ask(err)
	}
	for _, item := range r.GetApps() {
		if item.GetState() == pb.AppState_APP_STATE_STOPPED {
			continue // its name leads to another app, or to none
		}
		name := item.GetName()
		if name == "" {
			name = item.GetDescription()
		}
		if item.GetAppId() != id && isOwn(name) {
			out = append(out, app{item.GetAppId(), name})
		}
	}
	return out, nil
}

// byToken finds the sandboxes of a run token: all attempts, which are in two apps
// where the project was renamed in between.
func (q *session) byToken(ctx context.Context, environment, token string) ([]record, error) {
	apps, err := q.apps(ctx, environment)
	if err != nil {
		return nil, err
	}
	lists := make([][]record, len(apps))
	var g errgroup.Group
	g.SetLimit(appsAtOnce)
	for i, a := range apps {
		g.Go(func() (err error) {
			lists[i], err = q.byTag(ctx, a, environment, tagToken, label.Token(token))
			if api.IsNotFound(err) {
				return nil // stopped in between
			}
			return err
		})
	}
	err = g.Wait()
	return merge(lists...), err
}
