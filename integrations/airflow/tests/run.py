"""Runs one DAG as `airflow dags test DAG DATE` does, in a process that can be killed."""

import runpy
import sys

sys.argv = ["airflow", "dags", "test", *sys.argv[1:]]
runpy.run_module("airflow", run_name="__main__")
