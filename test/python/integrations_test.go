package python

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/python/venvs"
)

// TestZenML runs real pipelines on a real ZenML: with the contract of today (submit,
// get_status, cancel), and with the older one (launch).
func TestZenML(t *testing.T) {
	fault := withFault(t)
	for _, tc := range []struct{ name, pins, only string }{
		{"current", "zenml", ""},
		// The mapping, a run, a failure, Ctrl-C and a killed client.
		{"launch", "zenml-old", "not running and not another_process"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := ofMinor(t, 11, 12)
			e := installed(t, p, true, tc.pins, "dev")
			env := integration(t, e, "zenml", fault)
			pytest(t, e, env, absolute(t, "../../integrations/zenml/tests"), "-k", tc.only)
		})
	}
}

// TestAirflow runs real DAGs on a real Airflow.
func TestAirflow(t *testing.T) {
	e := installed(t, ofMinor(t, 11, 13), true, "airflow", "dev")
	pytest(t, e, integration(t, e, "airflow", nil), absolute(t, "../../integrations/airflow/tests"))
}

// TestTemplates holds the templates for Argo and GitHub Actions against their
// schemas and runs what they start.
func TestTemplates(t *testing.T) {
	e := installed(t, ofMinor(t, 11, 14), true, "lint", "dev")
	env := environ(t, e, "TEST_INTEGRATIONS="+absolute(t, "../../integrations"))
	pytest(t, e, env, absolute(t, "templates"))
}

// integration installs the package of an integration, as it is in the checkout, and
// returns the environment for its tests.
func integration(t *testing.T, e venvs.Env, name string, more []string) []string {
	t.Helper()
	require.NoError(t, e.Link(absolute(t, "../../integrations/"+name)))
	return environ(t, e, more...)
}
