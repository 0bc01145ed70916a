package python

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/python/venvs"
)

// TestPackage runs suite/ on the oldest and the newest Python at hand.
func TestPackage(t *testing.T) {
	fault := withFault(t)
	for _, p := range ends(pythons(t)) {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(p.Path))), func(t *testing.T) {
			t.Parallel()
			e := installed(t, p, wheels(t, "stephost"), "dev")
			pytest(t, e, environ(t, e, fault...), absolute(t, "suite"))
		})
	}
}

// TestTypes checks the package, strictly, and what its types say to its users.
func TestTypes(t *testing.T) {
	p := newest(t)
	types, err := venvs.Pinned(testContext(t), p, "pins/types.txt")
	require.NoError(t, err)
	dir := place(t)
	user := filepath.Join(dir, "user.py")
	require.NoError(t, os.WriteFile(user, []byte(typed), 0o600))
	mypy := []string{types.Python, "-m", "mypy", "--strict", "--cache-dir", filepath.Join(dir, "cache")}
	env := append(os.Environ(), "MYPYPATH="+absolute(t, "../../python"))
	output(t, env, dir, append(mypy, "--python-version", "3.10", absolute(t, "../../python/stephost"))...)
	output(t, env, dir, append(mypy, absolute(t, "../../python/wheel/build.py"))...)
	output(t, env, dir, append(mypy, user)...)
	// The integrations too, strictly in what is theirs; ZenML and Airflow are not read.
	for _, name := range []string{"zenml", "airflow"} {
		output(t, env, dir, append(mypy, "--python-version", "3.10", "--follow-imports=skip", "--ignore-missing-imports", "--allow-subclassing-any", "--allow-untyped-decorators",
			"--disable-error-code=no-any-return", absolute(t, "../../python/stephost"), absolute(t, "../../integrations/"+name+"/stephost_"+name))...)
	}
}

// typed is what a user's type checker must know; warn_unused_ignores, a part of
// --strict, makes of each comment a claim that there is an error.
const typed = `
import stephost
from typing import reveal_type

@stephost.step(step_operator="gpu", requirements=["x"], gpu=1)
def train(epochs: int, rate: float = 0.1) -> dict[str, float]:
    return {}

a: dict[str, float] = train(3)
b: dict[str, float] = train.remote(3, rate=0.2)
c: dict[str, float] = train.on("cpu", env={"A": "b"})(3)
train.remote("3")  # type: ignore[arg-type]
train.remote()  # type: ignore[call-arg]
train.on("cpu")("3")  # type: ignore[arg-type]
d: int = train.remote(3)  # type: ignore[assignment]

@stephost.step
def plain(x: int) -> str:
    return ""

e: str = plain.remote(1)
r: stephost.Result = stephost.launch(["x"], operator="gpu", timeouts={"run": "1h"}, settings={"a": [1]})
stephost.launch(["x"], operatr="gpu")  # type: ignore[call-arg]
stephost.launch(["x"], gpu="1")  # type: ignore[arg-type]

async def f() -> str:
    await stephost.launch_async(["x"])
    return await plain.remote_async(1)

try:
    pass
except stephost.StepFailed as err:
    s: str = err.class_
    lines: list[str] = err.last_lines
for log in stephost.runs.logs("x"):
    t: str = log.text
`
