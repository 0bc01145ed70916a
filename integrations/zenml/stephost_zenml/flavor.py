"""What ZenML reads when it discovers the flavor: names and settings, no stephost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Type

from pydantic import ConfigDict
from zenml.config.base_settings import BaseSettings
from zenml.step_operators import BaseStepOperatorConfig, BaseStepOperatorFlavor

if TYPE_CHECKING:
    from .operator import StephostStepOperator

FLAVOR = "stephost"


class StephostStepOperatorSettings(BaseSettings):
    """What a step may say beyond ResourceSettings and DockerSettings.

    Unknown keys are kept here and refused at the launch (mapping.known): ZenML puts the
    component's own configuration among a step's settings.
    """

    model_config = ConfigDict(extra="allow")

    settings: Dict[str, Any] = {}
    """Settings of the stephost flavor, as in `--set` (instance_type, volume_size...)."""
    timeouts: Dict[str, str] = {}
    """provisioning, run, cancel, total, log_drain; for example {"run": "2h"}."""
    retry: Dict[str, int] = {}
    """preempted, capacity, system, user: attempts of stephost's within one ZenML step run."""
    labels: Dict[str, str] = {}
    base_image: Optional[str] = None
    registry: Optional[str] = None
    platform: Optional[str] = None
    gpu_type: Optional[str] = None
    nodes: Optional[int] = None
    disk: Optional[str] = None
    shared_memory: Optional[str] = None
    allow_visible_secrets: bool = False
    """Let a backend without a secret store have the ZenML token and other secrets."""
    run_token: Optional[str] = None
    """Names the run yourself, for a pipeline that is started again by something that
    keeps no state: {pipeline}, {step}, {run} and {cache_key} are filled in. Without it
    a step that was interrupted is found again by its cache key on this machine."""


class StephostStepOperatorConfig(BaseStepOperatorConfig, StephostStepOperatorSettings):
    """The settings as defaults of the component, and the operator of stephost's."""

    operator: str
    """Operator of stephost's own that launches the steps."""


class StephostStepOperatorFlavor(BaseStepOperatorFlavor):
    """The flavor `stephost`."""

    @property
    def name(self) -> str:
        return FLAVOR

    @property
    def config_class(self) -> Type[StephostStepOperatorConfig]:
        return StephostStepOperatorConfig

    @property
    def implementation_class(self) -> "Type[StephostStepOperator]":
        from .operator import StephostStepOperator

        return StephostStepOperator
