package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/registry"
)

// outdatedItem is a version of a flavor beside which a newer one is here.
type outdatedItem struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Newest    string   `json:"newest"`
	Status    string   `json:"newest_status"`
	Operators []string `json:"operators,omitempty"` // registered ones
	Project   []string `json:"project,omitempty"`   // those of the project here that name the version
}

// listOutdated lists the versions that are not the newest, and who stays with
// them: a new version moves no operator.
func (a *app) listOutdated(ctx context.Context, cat *catalog.Catalog) error {
	all, err := cat.Registry().Flavors(ctx)
	if err != nil {
		return err
	}
	users, project, err := a.flavorUsers(ctx, cat)
	if err != nil {
		return err
	}
	items := outdated(all, users, project)
	err = a.items(items, len(items), "There is no older version of any flavor.",
		[]string{"FLAVOR", "VERSION", "NEWEST", "USED BY"}, func(i int) []string {
			x := items[i]
			used := "no operator"
			if all := slices.Concat(x.Operators, x.Project); len(all) > 0 {
				used = strings.Join(all, ", ")
			}
			return []string{x.Name, x.Version, x.Newest, used}
		})
	for _, x := range items {
		for _, name := range x.Operators {
			a.say("Next: stephost operator update %s --flavor-version=%s --dry-run", name, x.Newest)
		}
		for _, name := range x.Project {
			a.say("Next: write flavor = \"%s@%s\" for operator %s, and run stephost validate", x.Name, x.Newest, name)
		}
	}
	return err
}

// outdated finds the older versions; all has the newest version of a name first. A
// pre-release makes no release old.
func outdated(all []*registry.Flavor, users, project map[string][]string) []outdatedItem {
	items := []outdatedItem{}
	newest := map[string]*registry.Flavor{}
	for _, f := range all {
		if f.Err != nil {
			continue
		}
		first, older := newest[f.Name]
		if !older {
			newest[f.Name] = f
			continue
		}
		if f.Version == first.Version {
			continue // the same one in two places
		}
		if first.PreRelease() && !f.PreRelease() {
			newest[f.Name] = f
			continue
		}
		items = append(items, outdatedItem{Name: f.Name, Version: f.Version, Newest: first.Version, Status: string(first.Status),
			Operators: users[f.Ref()], Project: project[f.Ref()]})
	}
	return items
}

// flavorUsers are the operators that name an exact version of a flavor, by
// "name@version". A project whose files cannot be read names none.
func (a *app) flavorUsers(ctx context.Context, cat *catalog.Catalog) (stored, project map[string][]string, err error) {
	stored, project = map[string][]string{}, map[string][]string{}
	operators, err := cat.Registry().Operators(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range operators {
		stored[o.Flavor] = append(stored[o.Flavor], o.Name)
	}
	p, _, err := cat.Project(ctx, a.project())
	if err != nil {
		a.warn(fmt.Sprintf("the project's operators are not looked at: %s", oneLine(errorText(err))))
		return stored, project, nil
	}
	for _, name := range p.OperatorOrder {
		ref := p.Operators[name].Flavor
		project[ref] = append(project[ref], name)
	}
	return stored, project, nil
}
