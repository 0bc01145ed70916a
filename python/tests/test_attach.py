"""What a plugin gets that a person has started, perhaps under a debugger."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stephost_flavor import lifeline


def test_not_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lifeline.ATTACH, raising=False)
    assert lifeline.attach("pool") is None


def test_attach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hello = {"lifeline": 1, "log_level": "debug", "tls": {"cert": "c", "key": "secret-key", "peer": "p"}, "host": {"key": "later"}}
    (tmp_path / lifeline.HELLO_FILE).write_text(json.dumps(hello) + "\n")
    monkeypatch.setenv(lifeline.ATTACH, str(tmp_path))
    life = lifeline.attach("pool")
    assert life is not None and life.attached and life.fd == -1
    assert life.socket_dir == str(tmp_path) and life.log_level == "debug"
    assert life.tls is not None and life.tls.key == b"secret-key"
    assert lifeline.ATTACH not in os.environ, "children of the author's code are no plugins"
    said = capsys.readouterr().err
    assert f"--attach-plugin pool={tmp_path}" in said
    assert "secret-key" not in repr(life)


@pytest.mark.parametrize("text", ["", "secret-key", '{"lifeline":2}', '{"lifeline":1,"tls":{"key":"secret-key"}}'])
def test_attach_refuses(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / lifeline.HELLO_FILE).write_text(text)
    monkeypatch.setenv(lifeline.ATTACH, str(tmp_path))
    with pytest.raises(lifeline.StartError) as e:
        lifeline.attach("pool")
    assert "secret-key" not in str(e.value)
