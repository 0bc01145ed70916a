#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["stephost-flavor==0.1.*"]
# ///

# #!stephost flavor manifest v1 848 sha256:1ead65b85043eca68a253c61a6a4d1ba1a964e5f51fdfe62768bd5be1b9cc66b
# flavor "pool" {
#   version      = "0.1.0"
#   protocol     = [1]
#   summary      = "Runs steps as processes of this machine, a few at a time."
#   environment  = ["directory"]
#   capabilities = ["find", "logs", "cancel", "cleanup"]
#   secrets      = "store"
#   handles      = [1]
#   pass_env     = ["CUDA_*", "OMP_*"]
#
#   exec {
#     command = ["{interpreter:python3>=3.10}", "{file}"]
#   }
#
#   submission {
#     idempotency = "key"
#     key_lives   = "while_exists"
#     settle      = "0s"
#     keeps       = "168h"
#   }
#
#   config "slots" {
#     type        = number
#     default     = 2
#     min         = 1
#     description = "How many steps of this operator run at once; the others wait."
#   }
#
#   setting "progress" {
#     type        = string
#     default     = "progress:"
#     description = "A line of the step's output that begins so is shown as its progress."
#   }
# }

"""A flavor in Python: steps as processes on a pool of threads.

It shows the smaller kind (Launcher) with progress, cancel and a typed schema. The
steps end with the plugin process, so it is for steps of minutes on one machine.
"""

import logging
import subprocess
import threading
from dataclasses import dataclass
from io import RawIOBase
from typing import IO

from stephost_flavor import Launcher, LaunchStep, main

log = logging.getLogger("pool")


@dataclass
class PoolConfig:
    """One field per config attribute of the manifest."""

    slots: int


@dataclass
class PoolSettings:
    """One field per setting."""

    progress: str


class Pool(Launcher):
    """Every step has a thread; `slots` of them run at once."""

    Config = PoolConfig
    Settings = PoolSettings

    def slots(self, config: PoolConfig) -> int:
        return config.slots

    def launch(self, step: LaunchStep) -> None:
        log.info("launching %s", step.name)

        def follow(process: "subprocess.Popen[bytes]") -> None:
            assert process.stdout is not None and process.stderr is not None
            # A thread for each stream: a full pipe would hold the step up.
            stderr = threading.Thread(target=copy, args=(process.stderr, step.stderr), name="stderr")
            stderr.start()
            copy(process.stdout, step.stdout, step)
            stderr.join()

        step.run(on_start=follow)


def copy(source: IO[bytes], to: RawIOBase, step: "LaunchStep | None" = None) -> None:
    """Copies output as it comes, and shows lines of progress on the way."""
    prefix = step.settings.progress.encode() if step is not None else b""
    begun = b""
    # read1 gives what is there; the log gets the bytes as they are.
    while data := source.read1(64 << 10):  # type: ignore[attr-defined]
        to.write(data)
        if step is None or not prefix:
            continue
        *lines, begun = (begun + data).split(b"\n")
        begun = begun[-1000:]
        for line in lines:
            if line.startswith(prefix):
                step.progress(line[len(prefix) :].decode("utf-8", "replace").strip())


if __name__ == "__main__":
    main(Pool())
