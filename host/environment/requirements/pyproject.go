package requirements

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stephost/stephost/host/environment/internal/group"
)

// tomlScript reads a pyproject.toml with the interpreter's own TOML parser
// (tomllib since 3.11, else the one inside pip).
const tomlScript = `import sys, json
try:
    import tomllib
except ImportError:
    try:
        from pip._vendor import tomli as tomllib
    except ImportError:
        print(json.dumps({"error": "parser"})); sys.exit()
try:
    with open(sys.argv[1], "rb") as f:
        data = tomllib.load(f)
except tomllib.TOMLDecodeError as e:
    print(json.dumps({"error": "syntax", "detail": str(e)})); sys.exit()
project = data.get("project")
tool = data.get("tool") or {}
print(json.dumps({
    "project": isinstance(project, dict),
    "dependencies": (project or {}).get("dependencies", []) if isinstance(project, dict) else [],
    "dynamic": "dependencies" in ((project or {}).get("dynamic") or []) if isinstance(project, dict) else False,
    "poetry": "poetry" in tool, "sources": [k for k in (tool.get("uv") or {}) if k in
        ("sources", "index", "index-url", "extra-index-url", "find-links", "no-index",
         "constraint-dependencies", "override-dependencies")],
}))`

// projectDependencies are the lines of project.dependencies. The project itself
// is not installed: its code comes as source, so that a change of the code
// needs no new virtual environment.
func projectDependencies(ctx context.Context, py *Interpreter, env environ, file string) ([]string, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, probeLimit, fmt.Errorf("no answer in %s", probeLimit))
	defer cancel()
	out, err := group.Run(bounded, group.Command{
		Argv: []string{py.Path, "-I", "-c", tomlScript, file}, Env: env.forTools("").list(), Capture: true,
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var got struct {
		Error, Detail            string
		Project, Dynamic, Poetry bool
		Dependencies, Sources    []string
	}
	if err == nil {
		err = json.Unmarshal(out.Stdout, &got)
	}
	if err != nil {
		return nil, invalid("cannot read "+file+" with "+py.String(), err)
	}
	const export = "write the dependencies to a requirements.txt and name that"
	problem := func(text, next string) ([]string, error) {
		e := invalid(file+": "+text, nil)
		e.Next = next
		return nil, e
	}
	switch {
	case got.Error == "parser":
		return problem("Python "+py.Version+" cannot read TOML", "use Python 3.11 or newer, or "+export)
	case got.Error != "":
		return problem("not valid TOML: "+got.Detail, "correct the file")
	case !got.Project && got.Poetry:
		return problem("its dependencies stand in [tool.poetry], not in [project]", "run: poetry export > requirements.txt, and name that file")
	case !got.Project:
		return problem("there is no [project] table", export)
	case got.Dynamic:
		return problem("its dependencies are dynamic, known only to its build tool",
			`install the project itself with requirements = ["."], or `+export)
	case len(got.Sources) > 0:
		// Reading the names and not their places could take a package of the same
		// name from the public index.
		return problem("[tool.uv] has "+strings.Join(got.Sources, ", ")+", which decides what is installed and is not read",
			"run: uv export --no-emit-project > requirements.txt, and name that file")
	}
	return got.Dependencies, nil
}
