package python

import (
	"testing"
)

// TestZenML runs real pipelines on a real ZenML: with the contract of today (submit,
// get_status, cancel), and with the older one (launch).
func TestZenML(t *testing.T) {
	t.Parallel() // most of it is one process that imports ZenML
	fault := withFault(t)
	for _, tc := range []struct{ name, pins, only string }{
		{"current", "zenml", ""},
		{"launch", "zenml-old", "mapping or it_trains or ctrl_c or running"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := ofMinor(t, 11, 12)
			e := installed(t, p, wheels(t, "stephost", "stephost_zenml"), tc.pins, "dev")
			pytest(t, e, environ(t, e, fault...), absolute(t, "../../integrations/zenml/tests"), "-k", tc.only)
		})
	}
}

// TestAirflow runs real DAGs on a real Airflow.
func TestAirflow(t *testing.T) {
	t.Parallel()
	e := installed(t, ofMinor(t, 11, 13), wheels(t, "stephost", "stephost_airflow"), "airflow", "dev")
	pytest(t, e, environ(t, e), absolute(t, "../../integrations/airflow/tests"))
}

// TestTemplates holds the templates for Argo and GitHub Actions against their
// schemas and runs what they start.
func TestTemplates(t *testing.T) {
	e := installed(t, ofMinor(t, 11, 14), wheels(t, "stephost"), "lint", "dev")
	env := environ(t, e, "TEST_INTEGRATIONS="+absolute(t, "../../integrations"))
	pytest(t, e, env, absolute(t, "templates"))
}
