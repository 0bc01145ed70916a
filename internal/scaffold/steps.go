package scaffold

import "fmt"

// Step is a thing to do next: a command, and why.
type Step struct{ Command, Why string }

// Steps tells what to do with a project that was written into dir.
func Steps(dir string, o Options) []Step {
	steps := []Step{{"cd " + dir, "README.md says where to begin"}}
	switch o.Language {
	case Go:
		steps = append(steps, Step{fmt.Sprintf("go mod edit -replace %s=PATH && go mod tidy", o.Module()), "the SDK from a checkout at PATH; for a released one, `go mod tidy` alone"})
	case Python:
		steps = append(steps, Step{"make venv SDK=PATH/python", "the SDK from a checkout at PATH; for a released one, `make venv` alone"})
	}
	program := "./bin/" + o.Program()
	if o.Language == Python {
		program = "./dist/" + o.Program()
	}
	return append(steps,
		Step{"make test", "builds it and runs the conformance suite"},
		Step{"make && stephost flavor register " + program, "then: stephost operator register NAME --flavor=" + o.Name},
	)
}
