package requirements

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// uvDecides are the keys of [tool.uv] that decide what is installed.
var uvDecides = [...]string{"sources", "index", "index-url", "extra-index-url", "find-links", "no-index",
	"constraint-dependencies", "override-dependencies"}

// projectDependencies are the lines of project.dependencies. The project itself
// is not installed: its code comes as source, so that a change of the code
// needs no new packages.
func projectDependencies(file string) ([]string, error) {
	var got struct {
		Project *struct {
			Dependencies []string `toml:"dependencies"`
			Dynamic      []string `toml:"dynamic"`
		} `toml:"project"`
		Tool map[string]any `toml:"tool"`
	}
	if err := readTOML(file, &got); err != nil {
		return nil, err
	}
	const export = "write the dependencies to a requirements.txt and name that"
	problem := func(text, next string) ([]string, error) {
		e := invalid(file+": "+text, nil)
		e.Next = next
		return nil, e
	}
	_, poetry := got.Tool["poetry"]
	switch {
	case got.Project == nil && poetry:
		return problem("its dependencies stand in [tool.poetry], not in [project]", "run: poetry export > requirements.txt, and name that file")
	case got.Project == nil:
		return problem("there is no [project] table", export)
	case slices.Contains(got.Project.Dynamic, "dependencies"):
		return problem("its dependencies are dynamic, known only to its build tool",
			`install the project itself with requirements = ["."], or `+export)
	}
	if uv, ok := got.Tool["uv"].(map[string]any); ok {
		var decides []string
		for _, k := range uvDecides {
			if _, ok := uv[k]; ok {
				decides = append(decides, k)
			}
		}
		if len(decides) > 0 {
			// Reading the names and not their places could take a package of the same
			// name from the public index.
			return problem("[tool.uv] has "+strings.Join(decides, ", ")+", which decides what is installed and is not read",
				"name the uv.lock beside it, or run: uv export --no-emit-project > requirements.txt, and name that file")
		}
	}
	return got.Project.Dependencies, nil
}

// readTOML reads a file into v.
func readTOML(file string, v any) error {
	data, err := readBounded(file)
	if err != nil {
		return invalid("cannot read "+file, err)
	}
	if _, err := toml.NewDecoder(bytes.NewReader(data)).Decode(v); err != nil {
		detail := err.Error()
		var parse toml.ParseError
		if errors.As(err, &parse) {
			detail = fmt.Sprintf("line %d: %s", parse.Position.Line, parse.Message)
		}
		e := invalid(file+": not valid TOML: "+redact(detail), nil)
		e.Next = "correct the file"
		return e
	}
	return nil
}
