package pluginsdk

import (
	"encoding/json"
	"strings"
)

// JSONPlan is a plan that shows v as JSON. Arguments are shown as they are: no
// escaping for web pages.
func JSONPlan(v any, notes []string) (Plan, error) {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return Plan{}, err
	}
	return Plan{Request: out.String(), Format: "json", Notes: notes}, nil
}
