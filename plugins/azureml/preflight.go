package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/pluginsdk"
)

// Preflight asks what a launch would ask, and creates nothing.
func (g *azureml) Preflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	cl, err := g.open(ctx, c)
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	w, err := cl.about(ctx, true)
	if gone(err) {
		return pluginsdk.Config("config.workspace_name", "there is no workspace %s in the resource group %s", c.WorkspaceName, c.ResourceGroup)
	}
	if err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	found := []error{cl.states.Note("questions about jobs", "max_calls_per_minute"), cl.checkJobs(ctx), cl.checkHistory(ctx)}
	if s != nil {
		found = append(found, cl.checkStep(ctx, w, s)...)
	}
	return errors.Join(found...)
}

// checkJobs looks for a job that cannot be.
func (cl *client) checkJobs(ctx context.Context) error {
	if _, err := cl.get(ctx, jobName("doctor")); err != nil && !gone(err) {
		return fmt.Errorf("jobs of the workspace cannot be read; the login needs the role AzureML Data Scientist: %w", cl.ask(err))
	}
	return nil
}

// checkHistory asks the data plane, which may be reachable from elsewhere only.
func (cl *client) checkHistory(ctx context.Context) error {
	if _, err := cl.details(ctx, jobName("doctor")); err != nil && !gone(err) {
		return fmt.Errorf("the run history of the workspace, where logs and reasons are, cannot be read (a workspace with a private endpoint is reached from its network alone): %w", cl.ask(err))
	}
	return nil
}

// checkStep looks at what a step needs: environment, compute, quota.
func (cl *client) checkStep(ctx context.Context, w *workspace, s *pluginsdk.Step) []error {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return []error{err}
	}
	var found []error
	if _, err := cl.newest(ctx, s); err != nil {
		found = append(found, err)
	}
	if set.ComputeName != "" {
		got, err := cl.computes.Get(ctx, cl.config.ResourceGroup, cl.config.WorkspaceName, set.ComputeName, nil)
		switch {
		case gone(err) && set.Create:
		case gone(err):
			found = append(found, pluginsdk.Config("settings.compute_name", "the workspace %s has no compute %s; create = true and a size make it", cl.config.WorkspaceName, set.ComputeName))
		case err != nil:
			found = append(found, cl.ask(err))
		default:
			_, err := fits(got.Properties, set, s.Resources)
			return append(found, err)
		}
	}
	b := &built{}
	size, err := b.size(set, s.Resources)
	if err != nil {
		return append(found, err)
	}
	return append(found, cl.checkQuota(ctx, w, size, max(1, s.Resources.Nodes)))
}

// checkQuota compares the cores of the size with what the subscription has left
// of its family. Who may not read quotas gets no finding.
func (cl *client) checkQuota(ctx context.Context, w *workspace, size string, nodes int64) error {
	sizes, err := cl.sizes.List(ctx, w.location, nil)
	if err != nil {
		return pluginsdk.Warn("settings.size", "quotas cannot be read: %s", unsigned(err))
	}
	family, cores := "", int64(0)
	for _, one := range sizes.Value {
		if one != nil && strings.EqualFold(text(one.Name), size) && one.VCPUs != nil {
			family, cores = text(one.Family), int64(*one.VCPUs)
		}
	}
	if family == "" {
		return pluginsdk.Warn("settings.size", "%s is not among the sizes of %s", size, w.location)
	}
	for pager := cl.usages.NewListPager(w.location, nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return pluginsdk.Warn("settings.size", "quotas cannot be read: %s", unsigned(err))
		}
		for _, u := range page.Value {
			if left, ok := leftOf(u, family); ok && left < cores*nodes {
				return pluginsdk.Config("settings.size", "%d of %s need %d cores of the family %s, and the subscription has %d left in %s: ask for more in the studio under Quota",
					nodes, size, cores*nodes, family, left, w.location)
			}
		}
	}
	return nil
}

// leftOf is what is left of a family.
func leftOf(u *ml.Usage, family string) (int64, bool) {
	if u == nil || u.Name == nil || !strings.EqualFold(text(u.Name.Value), family) || u.Limit == nil || u.CurrentValue == nil {
		return 0, false
	}
	return *u.Limit - *u.CurrentValue, true
}
