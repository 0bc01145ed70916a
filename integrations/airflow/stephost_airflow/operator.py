"""The operator.

Invariants:

  - one task instance is one run, named by a token that its retries share: a retry of a
    task whose worker died joins the job that is still there, and one of a task whose
    step failed makes another attempt of the same run;
  - the run is in the background's hands (`--detach`): no death of the task ends it;
    on_kill says whether Airflow's wish to end the task ends the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

from airflow.sdk import BaseOperator

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # before they moved
    from airflow.exceptions import AirflowException, AirflowFailException

import stephost

from .trigger import StephostTrigger

if TYPE_CHECKING:
    from stephost import Result

# What a person must change first: a retry of Airflow's would end in the same way.
_FINAL = ("config",)


class StephostOperator(BaseOperator):
    """Runs a step through stephost, and gives its result to XCom.

    ``operator``: the operator of stephost's that runs it. ``command``: its argv, passed
    on as it is. ``token``: names the run; the same for all tries of a task instance.
    ``on_kill_do``: "cancel" the job when Airflow ends the task (a person marks it as
    failed, a timeout), or "leave" it, for workers that are drained: the retry joins it.
    ``deferrable``: wait in the triggerer. ``options``: further options of
    stephost.launch (env, secrets, source, cpu, timeouts...), also as keywords.

    XCom: run, token, class, exit_code, values, outputs, url.
    """

    template_fields: Sequence[str] = ("command", "operator", "token", "options")
    ui_color = "#dfe7ef"

    def __init__(
        self,
        *,
        operator: str,
        command: Optional[Sequence[str]] = None,
        step: Optional[str] = None,
        token: str = "airflow/{{ ti.dag_id }}/{{ ti.run_id }}/{{ ti.task_id }}/{{ ti.map_index }}",
        on_kill_do: str = "cancel",
        deferrable: bool = False,
        poll_interval: float = 15.0,
        options: Optional[Mapping[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        known = stephost.Options.__annotations__
        mine = {name: kwargs.pop(name) for name in list(kwargs) if name in known and name not in ("retries",)}
        super().__init__(**kwargs)
        if on_kill_do not in ("cancel", "leave"):
            raise ValueError(f"on_kill_do is {on_kill_do!r}; it is 'cancel' or 'leave'")
        self.operator = operator
        self.command = list(command) if command is not None else None
        self.step = step
        self.token = token
        self.on_kill_do = on_kill_do
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.options = {**(options or {}), **mine}

    def execute(self, context: Any) -> Any:
        """Launch it, or join what an earlier try has launched; then wait."""
        ti = context["ti"]
        options = {"step_name": ti.task_id, "pipeline": ti.dag_id, "pipeline_run": ti.run_id, **self.options}
        try:
            result = stephost.launch(
                self.command,
                step=self.step,
                operator=self.operator,
                token=self.token,
                # A later try wants what a first one must not: another attempt where the
                # run has ended without success. One that still goes on is joined.
                again=ti.try_number > 1,
                detach=True,
                check=False,
                on_log=lambda _: None,
                **options,
            )
        except stephost.LaunchError as e:
            raise self._refused(e) from e
        self.log.info("stephost run %s, token %s", result.run, self.token)
        if result.class_ == "detached":
            if self.deferrable:
                self.defer(
                    trigger=StephostTrigger(operator=self.operator, token=self.token, poll_interval=self.poll_interval),
                    method_name="execute_complete",
                )
        return self._end()

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:
        """The trigger has seen the end: show the log, and judge."""
        return self._end()

    def on_kill(self) -> None:
        """Airflow ends the task."""
        if self.on_kill_do == "cancel":
            self.log.info("Cancelling the run with token %s", self.token)
            # Without waiting: Airflow kills soon. Whoever drives the run obeys, and the
            # task, which looks on, sees the end.
            stephost.runs.cancel(token=self.token, operator=self.operator, wait=False)
            return
        self.log.info("Leaving the run with token %s: the next try joins it", self.token)
        raise AirflowException(f"the task was ended; its run goes on under the token {self.token}")

    def _end(self) -> Any:
        while True:
            try:
                return _xcom(stephost.runs.attach(operator=self.operator, token=self.token))
            except stephost.StepDetached:
                continue  # the one who drove it is gone; this process does now
            except stephost.StepFailed as e:
                if e.class_ in _FINAL:
                    raise AirflowFailException(str(e)) from e
                raise AirflowException(str(e)) from e
            except stephost.LaunchError as e:
                raise self._refused(e) from e

    def _refused(self, e: stephost.LaunchError) -> Exception:
        kind = AirflowFailException if e.result is not None and e.result.class_ in _FINAL else AirflowException
        return kind(str(e))


def _xcom(r: Result) -> dict[str, Any]:
    return {
        "run": r.run,
        "token": r.token,
        "class": r.class_,
        "exit_code": r.exit_code,
        "values": dict(r.values),
        "outputs": [{"name": o.name, "location": o.location, "bytes": o.bytes} for o in r.outputs],
        "url": r.url,
    }
