package standalone

import (
	"context"
	"encoding/json"
	"fmt"
)

// Progress is how far an application has come, as its own UI tells.
type Progress struct {
	App                             string
	Stages, StagesDone              int
	Tasks, TasksDone, Active, Fails int
}

func (p Progress) String() string {
	if p.Stages == 0 {
		return "no stage yet"
	}
	s := fmt.Sprintf("stages %d/%d, tasks %d/%d", p.StagesDone, p.Stages, p.TasksDone, p.Tasks)
	if p.Active > 0 {
		s += fmt.Sprintf(", %d running", p.Active)
	}
	if p.Fails > 0 {
		s += fmt.Sprintf(", %d failed", p.Fails)
	}
	return s
}

// Progress asks the UI of a driver ("Monitoring and Instrumentation", REST API).
// app "" = the one application that it shows.
func (c *Client) Progress(ctx context.Context, ui, app string) (Progress, error) {
	p := Progress{App: app}
	if app == "" {
		var apps []struct {
			ID string `json:"id"`
		}
		if err := c.api(ctx, ui+"/api/v1/applications", &apps); err != nil {
			return p, err
		}
		if len(apps) == 0 {
			return p, fmt.Errorf("%s shows no application", ui)
		}
		p.App = apps[0].ID
	}
	var stages []struct {
		Status string `json:"status"`
		Tasks  int    `json:"numTasks"`
		Active int    `json:"numActiveTasks"`
		Done   int    `json:"numCompleteTasks"`
		Failed int    `json:"numFailedTasks"`
	}
	if err := c.api(ctx, ui+"/api/v1/applications/"+p.App+"/stages", &stages); err != nil {
		return p, err
	}
	for _, s := range stages {
		if s.Status == "SKIPPED" {
			continue
		}
		p.Stages++
		if s.Status == "COMPLETE" {
			p.StagesDone++
		}
		p.Tasks += s.Tasks
		p.TasksDone += s.Done
		p.Active += s.Active
		p.Fails += s.Failed
	}
	return p, nil
}

func (c *Client) api(ctx context.Context, url string, into any) error {
	data, err := c.Get(ctx, url)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
