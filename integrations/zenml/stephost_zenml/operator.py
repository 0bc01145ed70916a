"""The step operator: submit, get_status, wait, cancel, and the older launch.

Invariants:

  - the run is in the background's hands (`--detach`), never in this process's: whoever
    kills the client kills nothing;
  - one step run of ZenML's is one run of stephost's, named by its ID as run token; a
    step run that an earlier client was killed over is continued, not repeated;
  - "could not ask" is raised and never becomes a status: ZenML then asks its server;
  - an interrupt cancels the job and waits until it is gone, before ZenML hears of it.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Type, cast
from uuid import UUID

import zenml
from zenml.client import Client
from zenml.config.base_settings import BaseSettings
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import ExecutionStatus, StoreType
from zenml.logger import get_logger
from zenml.orchestrators import publish_utils
from zenml.step_operators import BaseStepOperator
from zenml.utils import source_utils

import stephost

from . import mapping
from .flavor import StephostStepOperatorConfig, StephostStepOperatorSettings

if TYPE_CHECKING:
    from zenml.config.step_run_info import StepRunInfo
    from zenml.models import StepRunResponse

logger = get_logger(__name__)

# Metadata of a step run.
RUN = "stephost_run"
TOKEN = "stephost_token"
CLIENT = "stephost_client"  # the process that looks after it
SEEN = "stephost_seen"  # that process has seen its end
FROM = "stephost_continues"  # the step run whose job this one has taken over

# How many earlier step runs are looked at.
_EARLIER = 20


class StephostStepOperator(BaseStepOperator):
    """Launches steps through stephost."""

    @property
    def config(self) -> StephostStepOperatorConfig:
        return cast(StephostStepOperatorConfig, self._config)

    @property
    def settings_class(self) -> Optional[Type[BaseSettings]]:
        return StephostStepOperatorSettings

    # The current contract.

    def submit(self, info: "StepRunInfo", entrypoint_command: List[str], environment: Dict[str, str]) -> None:
        """Hand the step over and return as soon as the backend has it."""
        step_run = _fresh(info.step_run_id)
        if self._continue(info, step_run):
            return
        options = self._options(info, environment, step_run)
        token = options["token"]
        command = list(entrypoint_command)
        if "requirements" not in options and "image" not in options and command[0] in ("python", "python3"):
            # The environment that ZenML runs in, whatever PATH the step finds.
            command[0] = sys.executable
        result = stephost.launch(command, detach=True, on_log=_drop, on_status=_drop, **options)
        self._remember(info, {RUN: result.run, TOKEN: token, CLIENT: _me()})
        logger.info("Step `%s` is stephost run %s on operator %s.", info.pipeline_step_name, result.run, self.config.operator)

    def get_status(self, step_run: "StepRunResponse") -> ExecutionStatus:
        """Where the run is. An exception means that it could not be asked."""
        record = stephost.runs.show(token=self._token(step_run), operator=self.config.operator)
        verdict = record.get("verdict")
        if not verdict:
            attempts = record.get("attempts") or [{}]
            running = attempts[-1].get("phase") in ("running", "cancelling")
            return ExecutionStatus.RUNNING if running else ExecutionStatus.PROVISIONING
        status = _status(verdict["class"])
        self._ended(step_run, status)
        return status

    def wait(self, step_run: "StepRunResponse") -> ExecutionStatus:
        """Follow the run with its log until its end."""
        token = self._token(step_run)
        error: Optional[stephost.StepFailed] = None
        try:
            while True:
                try:
                    result = stephost.runs.attach(token=token, operator=self.config.operator)
                except stephost.StepDetached:
                    continue  # the one who drove it is gone
                except stephost.StepFailed as e:
                    error, result = e, e.result
                break
        except stephost.StephostError:
            raise
        except BaseException as e:
            # Ctrl-C, SIGTERM: ZenML's signal handler raises here, and its launcher
            # does not call cancel.
            logger.warning("Cancelling the stephost run of step `%s`: %s", step_run.name, type(e).__name__)
            self.cancel(step_run)
            raise
        status = _status(result.class_)
        self._ended(step_run, status)
        if error is None:
            return status
        logger.error("%s", error)
        if _fresh(step_run.id).exception_info is None and result.class_ != "cancelled":
            # Nothing in the step has told ZenML why; with a status alone it would say
            # no more than "failed".
            raise error
        return status

    def cancel(self, step_run: "StepRunResponse") -> None:
        """Cancel the job, and wait until the backend confirms that it is gone."""
        result = stephost.runs.cancel(token=self._token(step_run), operator=self.config.operator)
        if result.cancel_unconfirmed:
            logger.warning("The cancel of stephost run %s is not confirmed: stephost run show %s", result.run, result.run)

    # The older contract: one synchronous call.

    def launch(self, info: "StepRunInfo", entrypoint_command: List[str], environment: Dict[str, str]) -> None:
        """Run the step and return at its end; a failure is raised."""
        self.submit(info, entrypoint_command, environment)
        status = self.wait(_fresh(info.step_run_id))
        if status != ExecutionStatus.COMPLETED:
            raise RuntimeError(f"Step `{info.pipeline_step_name}` ended as {status}.")

    # A step without an image of ZenML's making: stephost makes the environment.

    def get_docker_builds(self, *_: Any, **__: Any) -> List[Any]:
        return []

    def _options(self, info: "StepRunInfo", environment: Dict[str, str], step_run: "StepRunResponse") -> Dict[str, Any]:
        settings = cast(StephostStepOperatorSettings, self.get_settings(info))
        mapping.known(settings, self.config)
        stack = Client().active_stack
        local = Client().zen_store.config.type == StoreType.SQL
        requirement = f"zenml[local]=={zenml.__version__}" if local else f"zenml=={zenml.__version__}"
        docker, wanted = mapping.docker(info.config.docker_settings, requirement, sorted(stack.requirements()))
        visible, secret = mapping.environment(environment, info.config.environment if hasattr(info.config, "environment") else {})
        options: Dict[str, Any] = {
            "operator": self.config.operator,
            "token": self._new_token(info, settings, step_run),
            "step_name": info.pipeline_step_name,
            "pipeline": info.pipeline.name,
            "pipeline_run": info.run_name,
            "labels": {"zenml-step-run": str(info.step_run_id), **settings.labels},
            "settings": settings.settings,
            "timeouts": settings.timeouts,
            "retry": settings.retry,
            "allow_visible_secrets": settings.allow_visible_secrets,
            **mapping.resources(info.config.resource_settings),
            **docker,
        }
        for name in ("base_image", "registry", "platform", "gpu_type", "nodes", "disk", "shared_memory"):
            value = getattr(settings, name)
            if value is not None:
                if name == "base_image" and "base_image" in docker:
                    raise mapping.NotSupported("base_image is in StephostStepOperatorSettings and as parent_image in DockerSettings; name one")
                options[name] = value
        # Only these are read from a directory of this machine; an image has its own.
        if "image" not in options:
            options["source"] = _sources(source_utils.get_source_root())
        if _on_this_machine(self.config.operator):
            # A step without requirements runs in the environment that ZenML runs in, and
            # finds the local stores where this process has them.
            visible["ZENML_CONFIG_PATH"] = GlobalConfiguration().config_directory
            if "ZENML_LOCAL_STORES_PATH" in os.environ:
                visible["ZENML_LOCAL_STORES_PATH"] = os.environ["ZENML_LOCAL_STORES_PATH"]
        elif local:
            raise mapping.NotSupported(
                f"ZenML's store is a database on this machine, and steps of operator {self.config.operator} run elsewhere: "
                "connect to a ZenML server (zenml login)"
            )
        elif not wanted and "image" not in options:
            options["requirements"] = sorted({requirement, *stack.requirements()})
        options["env"] = {**docker.get("env", {}), **visible}
        options["secret_values"] = secret
        return options

    def _new_token(self, info: "StepRunInfo", settings: StephostStepOperatorSettings, step_run: "StepRunResponse") -> str:
        if settings.run_token is None:
            return f"zenml/{info.step_run_id}"
        return settings.run_token.format(
            pipeline=info.pipeline.name, step=info.pipeline_step_name, run=info.run_name, cache_key=step_run.cache_key
        )

    def _token(self, step_run: "StepRunResponse") -> str:
        found = step_run.run_metadata.get(TOKEN) or _fresh(step_run.id).run_metadata.get(TOKEN)
        # A client that was killed between the launch and the metadata: the token says it.
        return str(found) if found else f"zenml/{step_run.id}"

    def _remember(self, info: "StepRunInfo", metadata: Dict[str, Any]) -> None:
        self._publish(info.step_run_id, metadata)
        known = getattr(info, "step_run", None)
        if known is not None:
            known.run_metadata.update(metadata)

    def _publish(self, step_run_id: UUID, metadata: Dict[str, Any]) -> None:
        publish_utils.publish_step_run_metadata(step_run_id=step_run_id, step_run_metadata={self.id: metadata})

    # A client was killed, and its pipeline is started again: its job goes on meanwhile.

    def _continue(self, info: "StepRunInfo", step_run: "StepRunResponse") -> bool:
        """Take over the job of an earlier step run that did the same and lost its client."""
        earlier = self._abandoned(step_run)
        if earlier is None:
            return False
        token = self._token(earlier)
        try:
            record = stephost.runs.show(token=token, operator=self.config.operator)
        except stephost.LaunchError as e:
            logger.warning("stephost run of earlier step run %s: %s", earlier.id, e)
            return False
        verdict = record.get("verdict")
        if verdict and verdict["class"] != "succeeded":
            return False
        if verdict and _fresh(earlier.id).status != ExecutionStatus.COMPLETED:
            return False
        logger.info(
            "Step `%s` continues stephost run %s, whose client is gone: it does the same (cache key %s).",
            info.pipeline_step_name,
            record["run"],
            step_run.cache_key,
        )
        self._remember(info, {RUN: record["run"], TOKEN: token, CLIENT: _me(), FROM: str(earlier.id)})
        return True

    def _abandoned(self, step_run: "StepRunResponse") -> "Optional[StepRunResponse]":
        if not step_run.cache_key:
            return None
        found = Client().list_run_steps(cache_key=step_run.cache_key, sort_by="desc:created", size=_EARLIER, hydrate=True)
        for other in found.items:
            known = other.run_metadata
            if other.id == step_run.id or CLIENT not in known:
                continue
            # The newest decides: what came before it has its own successor.
            return other if SEEN not in known and not _alive(str(known[CLIENT])) else None
        return None

    def _ended(self, step_run: "StepRunResponse", status: ExecutionStatus) -> None:
        """Note that the end was seen; give a step run that took over its outputs."""
        fresh = _fresh(step_run.id)
        origin = fresh.run_metadata.get(FROM)
        if origin and status == ExecutionStatus.COMPLETED and not fresh.status.is_finished:
            earlier = _fresh(UUID(str(origin)))
            publish_utils.publish_successful_step_run(
                step_run_id=step_run.id,
                output_artifact_ids={name: [a.id for a in artifacts] for name, artifacts in earlier.outputs.items()},
            )
        if SEEN not in fresh.run_metadata:
            self._publish(step_run.id, {SEEN: True})
            if origin:
                self._publish(UUID(str(origin)), {SEEN: True})


def _sources(root: str) -> List[Any]:
    """The pipeline's code, and what the step's process needs to load the stack: this
    package and stephost's, which are small and may be on no index."""
    found: List[Any] = [("", root)]
    for module in (stephost, sys.modules[__package__]):
        package = os.path.dirname(os.path.abspath(str(module.__file__)))
        name = os.path.basename(package)
        if not os.path.exists(os.path.join(root, name)):
            found.append((name, package))
    return found


def _fresh(step_run_id: UUID) -> "StepRunResponse":
    return Client().get_run_step(step_run_id)


def _drop(_: object) -> None:
    pass


def _status(class_: str) -> ExecutionStatus:
    if class_ == "succeeded":
        return ExecutionStatus.COMPLETED
    if class_ == "cancelled":
        # Older versions know "stopped" only.
        return getattr(ExecutionStatus, "CANCELLED", ExecutionStatus.STOPPED)
    return ExecutionStatus.FAILED


def _on_this_machine(operator: str) -> bool:
    """Whether the operator runs steps in a directory of this machine."""
    from stephost import _cli

    item = _cli.ask(["operator", "describe", operator])["item"]
    return "directory" in (item.get("environment") or ())


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began: with its number the name of the process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _me() -> str:
    return f"{socket.gethostname()}|{_boot()}|{os.getpid()}|{_started(os.getpid())}"


def _alive(client: str) -> bool:
    """Whether a client may still be there. On another machine nobody knows: it may."""
    host, boot, pid, started = (client.split("|") + ["", "", "", ""])[:4]
    if host != socket.gethostname() or not pid.isdigit():
        return True
    if boot != _boot():
        return False
    if sys.platform == "linux":
        return _started(int(pid)) == started
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
