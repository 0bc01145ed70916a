"""Write a flavor (a step operator plugin) for stephost in Python.

A class derived from Launcher runs the step inside the plugin process, and the run
is lost with it. One derived from Remote submits the step to a backend that
outlives the process; it gets recovery, adoption, retries and bounded waits from
this package and the host.

    from stephost_flavor import Launcher, LaunchStep, main

    class Here(Launcher):
        def launch(self, step: LaunchStep) -> None:
            step.run()

    if __name__ == "__main__":
        main(Here())

Whatever is logged with the module logging goes to the host's log.
"""

from .errors import (
    AlreadyOver,
    Auth,
    Cancelled,
    Capacity,
    Config,
    Error,
    NoOutput,
    NotOurs,
    OutputRange,
    Preempted,
    Rejected,
    Several,
    System,
    Throttled,
    Timeout,
    Unreachable,
    User,
    WrongScope,
    note,
    warning,
)
from .interface import Launcher, RegistryCredentials, RegistryRequest, Remote
from .logwriter import LogRequest, LogSource, LogWriter
from .main import main
from .status import CancelOptions, Class, Found, Handle, Job, Output, OutputFile, Phase, Plan, Prepared, Query, Scope, Status, What
from .step import (
    Cancellation,
    Deadlines,
    Directory,
    Environment,
    Image,
    LaunchStep,
    Raw,
    Resources,
    Secret,
    SourceRoot,
    Step,
)
from .values import Values
from .version import VERSION

__all__ = [
    "VERSION",
    "AlreadyOver",
    "Auth",
    "CancelOptions",
    "Cancellation",
    "Cancelled",
    "Capacity",
    "Class",
    "Config",
    "Deadlines",
    "Directory",
    "Environment",
    "Error",
    "Found",
    "Handle",
    "Image",
    "Job",
    "LaunchStep",
    "Launcher",
    "LogRequest",
    "LogSource",
    "LogWriter",
    "NoOutput",
    "NotOurs",
    "Output",
    "OutputFile",
    "OutputRange",
    "Phase",
    "Plan",
    "Preempted",
    "Prepared",
    "Query",
    "Raw",
    "RegistryCredentials",
    "RegistryRequest",
    "Rejected",
    "Remote",
    "Resources",
    "Scope",
    "Secret",
    "Several",
    "SourceRoot",
    "Status",
    "Step",
    "System",
    "Throttled",
    "Timeout",
    "Unreachable",
    "User",
    "Values",
    "WrongScope",
    "What",
    "known_at_launch",
    "main",
    "note",
    "warning",
]


def known_at_launch(why: str) -> str:
    """The text for a field of a plan whose value needs the network, for example
    known_at_launch("the role's ARN")."""
    return f"(known at launch: {why})"
