from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stephost_flavor import manifest, pack

EXAMPLE = Path(__file__).parents[2] / "examples" / "python-flavor" / "flavor.py"


def test_dependencies() -> None:
    assert pack.dependencies(EXAMPLE.read_text()) == ["stephost-flavor==0.1.*"]
    assert pack.dependencies("print()") == []


def test_thin(tmp_path: Path) -> None:
    a = pack.pack(EXAMPLE, tmp_path / "a.pyz", [], thin=True)
    b = pack.pack(EXAMPLE, tmp_path / "b.pyz", [], thin=True)
    assert a.read_bytes() == b.read_bytes(), "reproducible"
    m = manifest.read(manifest.locate(str(EXAMPLE)))
    with zipfile.ZipFile(a) as z:
        info = z.getinfo("flavor.hcl")
        assert info.compress_type == zipfile.ZIP_STORED
        assert manifest.read(z.read(info)).digest == m.digest
    root = str(Path(__file__).parents[1])
    out = subprocess.run([sys.executable, str(a), "version"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}, check=True)
    assert out.stdout.startswith("pool 0.1.0 ")
    assert subprocess.run([sys.executable, str(a), "manifest"], capture_output=True, env={**os.environ, "PYTHONPATH": root}, check=True).stdout == m.source


def test_nothing_to_carry(tmp_path: Path) -> None:
    script = tmp_path / "flavor.py"
    script.write_text(EXAMPLE.read_text().replace("# /// script", "# other"))
    with pytest.raises(pack.PackError, match="requirement"):
        pack.pack(script, tmp_path / "a.pyz", [])
