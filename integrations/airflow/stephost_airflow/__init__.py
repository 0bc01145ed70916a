"""An Airflow operator that launches steps through stephost.

    from stephost_airflow import StephostOperator

    train = StephostOperator(
        task_id="train",
        operator="gpu",
        command=["python", "train.py", "--date", "{{ ds }}"],
        source="/repo",
        requirements=["scikit-learn"],
        gpu=1,
        retries=2,
    )
"""

from .operator import StephostOperator
from .trigger import StephostTrigger

__all__ = ["StephostOperator", "StephostTrigger"]
