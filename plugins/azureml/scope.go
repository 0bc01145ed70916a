package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// Scope is subscription, resource group and the workspace's own ID: a workspace
// that is deleted and made again under its name has none of the jobs.
func (g *azureml) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	cl, err := g.open(ctx, c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	w, err := cl.about(ctx, true)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	return pluginsdk.Scope{
		// Names of Azure do not know small and large letters apart.
		ID:      strings.ToLower(fmt.Sprintf("azure:%s:%s:%s", c.SubscriptionID, c.ResourceGroup, w.id)),
		Display: fmt.Sprintf("workspace %s, resource group %s, subscription %s", c.WorkspaceName, c.ResourceGroup, c.SubscriptionID),
	}, nil
}
