"""One call of the contract with its decoded config."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ._proto import operator_pb2 as pb
from .implementation import Session


@dataclass(frozen=True)
class Call:
    """What every handler needs. digest is one of the config without its secrets,
    credentials is everything that decides whom a call asks: a digest with them, and
    the project."""

    target: pb.Target
    session: Session
    digest: str
    credentials: str


def digest_of(v: pb.Values, with_secrets: bool) -> str:
    """A digest of a config: of each part with its length, so that no two configs
    run into each other."""
    h = hashlib.sha256()

    def part(data: bytes) -> None:
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)

    part(v.json)
    if with_secrets:
        for name in sorted(v.secrets):
            part(name.encode())
            part(v.secrets[name].value.encode())
    return h.hexdigest()
