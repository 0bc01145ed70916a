"""The DAGs of the tests."""

from __future__ import annotations

import os

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
import stephost
from stephost_airflow import StephostOperator

PLACE = os.environ["PLACE"]
START = pendulum.datetime(2026, 1, 1, tz="UTC")


def one(dag_id: str, script: str, schedule=None, **more) -> DAG:
    with DAG(dag_id, schedule=schedule, start_date=START, catchup=False, is_paused_upon_creation=schedule is None) as dag:
        train = StephostOperator(task_id="train", operator=os.environ.get("OPERATOR", "here"), command=["sh", "-c", script], **more)

        @task
        def report(result: dict) -> None:
            with open(f"{PLACE}/report", "w") as f:
                f.write(f"{result['class']} {result['values']}")

        report(train.output)
    return dag


ok = one("ok", "echo out $A; echo err >&2; echo '::stephost value loss=0.25'", env={"A": "{{ task.task_id }}"})
deferred = one("deferred", "sleep 1; echo '::stephost value loss=0.5'", deferrable=True, poll_interval=0.5)
bad = one("bad", "echo why; exit 3")
wrong = one("wrong", "true", cpu="many", retries=3, retry_delay=pendulum.duration(seconds=0))
again = one(
    "again",
    f"echo x >> {PLACE}/tries; test $(wc -l < {PLACE}/tries) -ge 2 && echo '::stephost value tries=2'",
    retries=2,
    retry_delay=pendulum.duration(seconds=0),
)
# Token and definition of a task instance hold its run ID, which `dags test` makes anew
# each time; a scheduler keeps it.
gated = one(
    "gated",
    f"echo $$ >> {PLACE}/witness; while [ ! -e {PLACE}/gate ]; do sleep 0.1; done; echo '::stephost value done=true'",
    token="airflow/{{ ti.dag_id }}/{{ ds }}/{{ ti.task_id }}",
    pipeline_run="{{ ds }}",
)
# For a scheduler, which begins it by itself.
survives = one(
    "survives",
    f"echo $$ >> {PLACE}/witness; while [ ! -e {PLACE}/gate ]; do sleep 0.1; done; echo '::stephost value done=true'",
    schedule="@once",
    retries=1,
    retry_delay=pendulum.duration(seconds=0),
)
left = one("left", f"echo $$ >> {PLACE}/witness; while [ ! -e {PLACE}/gate ]; do sleep 0.1; done", on_kill_do="leave", token="left/{{ ds }}")

# The pattern of docs/orchestrators.md, for workers without the package.
with DAG("bash", schedule=None, start_date=START, catchup=False) as bash:
    BashOperator(
        task_id="train",
        bash_command="stephost launch --operator here --on-term detach --result-file $RESULT"
        " --run-token '{{ dag.dag_id }}/{{ run_id }}/{{ ti.task_id }}' {{ '--again' if ti.try_number > 1 }}"
        """ -- sh -c 'echo log; echo "::stephost value loss=0.125"' >&2;"""
        " code=$?; cat $RESULT; exit $code",
        env={"RESULT": PLACE + "/{{ ti.task_id }}.json", "PATH": os.path.dirname(stephost.binary()) + ":/usr/bin:/bin"},
        append_env=True,
    ) >> BashOperator(task_id="check", bash_command="""echo '{{ ti.xcom_pull(task_ids="train") }}' | grep '"loss":0.125'""")
