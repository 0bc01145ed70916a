"""What a plugin gets that a host has started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stephost_flavor import lifeline


@pytest.mark.parametrize(("given", "left"), [("400", None), ("50", "50")])
def test_children_see_nothing_of_the_start(given: str, left: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end, host = os.pipe()
    os.write(host, b'{"lifeline":1,"log_level":"debug","insecure":true}\n')
    for name, value in {
        lifeline.COOKIE: lifeline.COOKIE_VALUE,
        lifeline.FD: str(end),
        lifeline.SOCKET_DIR: str(tmp_path),
        "PLUGIN_PROTOCOL_VERSIONS": "1",
        lifeline.GC: given,
    }.items():
        monkeypatch.setenv(name, value)
    try:
        life = lifeline.open_lifeline()
    finally:
        os.close(end)
        os.close(host)
    assert life.log_level == "debug" and life.socket_dir == str(tmp_path)
    assert not [n for n in os.environ if n.startswith("PLUGIN_") or n in (lifeline.COOKIE, lifeline.FD)]
    assert os.environ.get(lifeline.GC) == left, "a value of the user's own stays"
