"""What also the other side of a call needs, where every import is part of the call's
cost: nothing here imports anything."""

from __future__ import annotations

# The module that is being imported there, "" at all other times (see _call).
importing = ""

# Names of the options of a launch; those of _options.Options, which a test compares.
OPTIONS = (
    "operator",
    "step_name",
    "pipeline",
    "pipeline_run",
    "image",
    "base_image",
    "dockerfile",
    "requirements",
    "requirements_file",
    "source",
    "registry",
    "platform",
    "python",
    "override",
    "allow_large",
    "env",
    "env_file",
    "secrets",
    "secret_values",
    "allow_visible_secrets",
    "cpu",
    "memory",
    "gpu",
    "gpu_type",
    "nodes",
    "disk",
    "shared_memory",
    "timeouts",
    "retry",
    "labels",
    "settings",
    "token",
    "again",
    "first",
    "on_term",
    "directory",
    "files",
    "variables",
    "environ",
)
FORMATS = ("json", "pickle")


class Generic:
    """Stands for typing.Generic at run time: subscripting it, and what derives from it,
    changes nothing."""

    def __class_getitem__(cls, _: object) -> type:
        return cls
