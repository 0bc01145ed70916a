//go:build !front

package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/stephost/stephost/host/problem"
)

// The variables of the structured log. envLog is a level (trace, debug, info,
// warn, error) for everything, or NAME=level for the plugin of one flavor, or
// several with commas between: "warn,hive=trace". envLogJSON=1 makes it JSON.
const (
	envLog     = "STEPHOST_LOG"
	envLogJSON = "STEPHOST_LOG_JSON"
)

// hostLog is the structured log of the host: off unless envLog says otherwise.
// levels are those of single flavors.
func hostLog(w io.Writer, text string) (log hclog.Logger, levels map[string]hclog.Level, err error) {
	general, levels := hclog.Off, map[string]hclog.Level{}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		name, value, single := strings.Cut(word, "=")
		if !single {
			value = name
		}
		level := hclog.LevelFromString(value)
		switch {
		case level == hclog.NoLevel || single && name == "":
			return nil, nil, &problem.Error{Summary: fmt.Sprintf("%s is %q", envLog, problem.Bound(text, 100)),
				Next: "set it to trace, debug, info, warn, error or off, or to FLAVOR=level, with commas between"}
		case single:
			levels[name] = level
		default:
			general = level
		}
	}
	if general == hclog.Off && len(levels) == 0 {
		return hclog.NewNullLogger(), nil, nil
	}
	return hclog.New(&hclog.LoggerOptions{Name: "stephost", Level: general, Output: w, JSONFormat: os.Getenv(envLogJSON) == "1",
		IndependentLevels: true}), levels, nil
}
