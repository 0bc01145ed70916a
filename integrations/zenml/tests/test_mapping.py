"""What of ZenML's settings arrives, and what is refused."""

from __future__ import annotations

import pytest
from stephost_zenml import mapping
from stephost_zenml.flavor import StephostStepOperatorConfig, StephostStepOperatorSettings
from zenml.config import DockerSettings, ResourceSettings

ZENML = "zenml==0"


def test_resources() -> None:
    assert mapping.resources(ResourceSettings()) == {}
    assert mapping.resources(ResourceSettings(cpu_count=2, gpu_count=1, memory="16GB")) == {"cpu": 2, "gpu": 1, "memory": "16GB"}
    with pytest.raises(mapping.NotSupported, match="ResourceSettings.min_replicas is for resource pools or deployments"):
        mapping.resources(ResourceSettings(min_replicas=2))


@pytest.mark.parametrize(
    "given, options, wanted",
    [
        ({}, {}, False),
        ({"environment": {"A": 1}}, {"env": {"A": "1"}}, False),
        ({"requirements": ["b"]}, {"requirements": ["b", "s", ZENML]}, True),
        ({"requirements": ["b"], "install_stack_requirements": False}, {"requirements": ["b", ZENML]}, True),
        ({"parent_image": "x:1"}, {"base_image": "x:1", "requirements": ["s", ZENML]}, True),
        ({"parent_image": "x:1", "skip_build": True}, {"image": "x:1"}, True),
    ],
)
def test_docker(given: dict, options: dict, wanted: bool) -> None:
    assert mapping.docker(DockerSettings(**given), ZENML, ["s"]) == (options, wanted)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"apt_packages": ["git"]}, "DockerSettings.apt_packages cannot be had"),
        ({"user": "me"}, "DockerSettings.user cannot be had"),
        ({"parent_image": "x", "skip_build": True, "requirements": ["a"]}, "DockerSettings.requirements needs a build"),
        ({"parent_image": "x", "dockerfile": "D"}, "name one"),
    ],
)
def test_docker_refused(given: dict, message: str) -> None:
    with pytest.raises(mapping.NotSupported, match=message):
        mapping.docker(DockerSettings(**given), ZENML, [])


def test_environment_and_secrets() -> None:
    given = {"A": "1", "B": "2", "ZENML_STORE_API_TOKEN": "t", "ZENML_STORE_URL": "mysql://u:p@h", "ZENML_ACTIVE_STACK_ID": "s"}
    visible, secret = mapping.environment(given, {"A": 1, "B": "other"})
    assert visible == {"A": "1", "ZENML_ACTIVE_STACK_ID": "s"}
    assert secret == {"B": "2", "ZENML_STORE_API_TOKEN": "t", "ZENML_STORE_URL": "mysql://u:p@h"}


def test_unknown_settings() -> None:
    config = StephostStepOperatorConfig(operator="gpu")
    mapping.known(StephostStepOperatorSettings(operator="gpu", timeouts={"run": "1h"}), config)  # type: ignore[call-arg]
    with pytest.raises(mapping.NotSupported, match="did you mean 'timeouts'"):
        mapping.known(StephostStepOperatorSettings(timeout={"run": "1h"}), config)  # type: ignore[call-arg]
