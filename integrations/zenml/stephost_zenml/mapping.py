"""ZenML's words in stephost's. What has no counterpart is refused, never dropped."""

from __future__ import annotations

import difflib
import os
from typing import Any, Dict, List, Mapping, Tuple

from pydantic import BaseModel
from zenml.config import DockerSettings, ResourceSettings


class NotSupported(RuntimeError):
    """A setting of ZenML's that a step on stephost cannot have."""


_RESOURCES = {"cpu_count": "cpu", "gpu_count": "gpu", "memory": "memory"}

def known(settings: BaseModel, configured: BaseModel) -> None:
    """Refuse settings that do not exist."""
    names = [*type(settings).model_fields]
    for name in settings.model_extra or {}:
        if name not in type(configured).model_fields:
            near = difflib.get_close_matches(name, names, 1)
            raise NotSupported(
                f"there is no setting {name!r} of step operators of flavor stephost; "
                + (f"did you mean {near[0]!r}?" if near else "there are: " + ", ".join(names))
            )


# What stephost does in its own way and needs no word for: code always travels as the
# step's source, and installers are its business.
_DOCKER_DEFAULTS = {"python_package_installer", "disable_automatic_requirements_detection"}
_DOCKER = {
    "parent_image",
    "dockerfile",
    "skip_build",
    "requirements",
    "pyproject_path",
    "required_integrations",
    "install_stack_requirements",
    "environment",
    "runtime_environment",
}


def resources(given: ResourceSettings) -> Dict[str, Any]:
    """cpu_count, gpu_count and memory; the rest belongs to resource pools and deployments."""
    nothing = ResourceSettings()
    for name in type(given).model_fields:
        if name not in _RESOURCES and getattr(given, name) != getattr(nothing, name):
            raise NotSupported(
                f"ResourceSettings.{name} is for resource pools or deployments, and a step on stephost has neither; "
                "remove it (a kind of GPU is gpu_type in StephostStepOperatorSettings)"
            )
    return {flag: getattr(given, name) for name, flag in _RESOURCES.items() if getattr(given, name) is not None}


def docker(given: DockerSettings, zenml: str, stack: List[str]) -> Tuple[Dict[str, Any], bool]:
    """Options for the environment, and whether the person asked for one at all.

    ``zenml`` is the requirement that the step's entrypoint needs; ``stack`` are those of
    the stack's components.
    """
    nothing = DockerSettings()
    for name in type(given).model_fields:
        if name in _DOCKER or name in _DOCKER_DEFAULTS or getattr(given, name) == getattr(nothing, name):
            continue
        raise NotSupported(
            f"DockerSettings.{name} cannot be had: stephost builds the step's image itself, without Docker; "
            "use a parent_image or a dockerfile that has what is missing"
        )
    out: Dict[str, Any] = {}
    if given.skip_build:
        if not given.parent_image:
            raise NotSupported("DockerSettings.skip_build needs parent_image")
        for name in ("requirements", "pyproject_path", "required_integrations", "dockerfile"):
            if getattr(given, name):
                raise NotSupported(f"DockerSettings.{name} needs a build, and skip_build is set; remove one of them")
        return {"image": given.parent_image}, True
    if given.parent_image and given.dockerfile:
        raise NotSupported("DockerSettings has a parent_image and a dockerfile; name one")
    if given.parent_image:
        out["base_image"] = given.parent_image
    if given.dockerfile:
        out["dockerfile"] = os.path.abspath(given.dockerfile)
    lines: List[str] = []
    if isinstance(given.requirements, str):
        out["requirements_file"] = os.path.abspath(given.requirements)
    else:
        lines += given.requirements or []
    if given.pyproject_path:
        if "requirements_file" in out:
            raise NotSupported("DockerSettings has a requirements file and a pyproject_path; name one")
        out["requirements_file"] = os.path.abspath(given.pyproject_path)
    if given.required_integrations:
        lines += _integrations(given.required_integrations)
    wanted = bool(out or lines)
    if wanted:
        lines.append(zenml)
        if given.install_stack_requirements:
            lines += stack
        out["requirements"] = sorted(set(lines))
    env = {**given.environment, **getattr(given, "runtime_environment", {})}
    if env:
        out["env"] = {k: str(v) for k, v in env.items()}
    return out, wanted


def _integrations(names: List[str]) -> List[str]:
    from zenml.integrations.registry import integration_registry

    found: List[str] = []
    for name in names:
        found += integration_registry.select_integration_requirements(name)
    return found


# Variables of ZenML's own that may be seen; every other one that a person did not write
# into the step's environment is handed over as a secret. ZenML merges both into one
# (its step launcher says so in a TODO), and a store's token or password is among them.
_VISIBLE = {
    "ZENML_STEP_OPERATOR",
    "ZENML_ACTIVE_STACK_ID",
    "ZENML_ACTIVE_PROJECT_ID",
    "ZENML_ACTIVE_WORKSPACE_ID",
    "ZENML_ANALYTICS_OPT_IN",
    "ZENML_DISABLE_CREDENTIALS_DISK_CACHING",
    "ZENML_STORE_TYPE",
    "ZENML_USER_ID",
    "ZENML_VERSION",
}


def environment(given: Mapping[str, str], written: Mapping[str, Any]) -> Tuple[Dict[str, str], Dict[str, str]]:
    """What may be seen, and secrets."""
    visible: Dict[str, str] = {}
    secret: Dict[str, str] = {}
    for name, value in given.items():
        seen = name in _VISIBLE or (name in written and str(written[name]) == value)
        (visible if seen else secret)[name] = value
    return visible, secret
