"""Build the wheels: `stephost` (package, program, local flavor, shim),
`stephost-flavor-NAME` (one flavor each) and `stephost-NAME` (integrations).

    python3 python/wheel/build.py --dist dist                      # this platform, from bin/
    python3 python/wheel/build.py --dist dist --platform linux/arm64 --bin build/linux-arm64 --flavor kubernetes

Needs the standard library of Python 3.11 alone. Invariants:

  - the program is a script of the wheel, so that `stephost` on PATH is the program
    itself: no Python starts before it;
  - what belongs to the program lies in libexec/stephost, never in bin/ (where it
    would be on everybody's PATH), and the program finds it from its own place;
  - the same files give the same bytes: order, times and modes are fixed; the time is
    SOURCE_DATE_EPOCH, else the earliest that a zip file can hold.

The tags: the programs are static, so one Linux wheel fits glibc and musl alike;
Go 1.26 needs macOS 12 (go.dev/doc/go1.26, Ports).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import pathlib
import platform
import stat
import sys
import time
import tomllib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "stephost"
REQUIRES_PYTHON = ">=3.9"

TAGS = {
    "linux/amd64": ["manylinux2014_x86_64", "manylinux_2_17_x86_64", "musllinux_1_1_x86_64"],
    "linux/arm64": ["manylinux2014_aarch64", "manylinux_2_17_aarch64", "musllinux_1_1_aarch64"],
    "darwin/amd64": ["macosx_12_0_x86_64"],
    "darwin/arm64": ["macosx_12_0_arm64"],
}

# The earliest time of a zip file.
ZIP_EPOCH = 315532800


def here() -> str:
    """This platform, in Go's words."""
    machine = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{sys.platform}/{machine}"


class Wheel:
    """One wheel, whose files are added and then written in order."""

    def __init__(self, name: str, version: str, tags: list[str], metadata: str) -> None:
        self.stem = f"{name.replace('-', '_')}-{version}"
        self.info = f"{self.stem}.dist-info"
        self.data = f"{self.stem}.data"
        self.file = f"{self.stem}-py3-none-{'.'.join(tags)}.whl"
        self.files: dict[str, tuple[bytes, bool]] = {}
        lines = "".join(f"Tag: py3-none-{t}\n" for t in tags)
        pure = str(tags == ["any"]).lower()
        self.add(f"{self.info}/METADATA", metadata.encode())
        self.add(f"{self.info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: stephost\nRoot-Is-Purelib: {pure}\n{lines}".encode())
        self.add(f"{self.info}/licenses/LICENSE", (ROOT / "LICENSE").read_bytes())

    def add(self, name: str, content: bytes, executable: bool = False) -> None:
        self.files[name] = (content, executable)

    def program(self, name: str, path: pathlib.Path) -> None:
        self.add(f"{self.data}/{name}", path.read_bytes(), executable=True)

    def package(self, path: pathlib.Path) -> None:
        for file in sorted(path.rglob("*")):
            if file.suffix == ".py" or file.name == "py.typed":
                self.add(f"{path.name}/{file.relative_to(path).as_posix()}", file.read_bytes())

    def write(self, to: pathlib.Path) -> pathlib.Path:
        record = f"{self.info}/RECORD"
        rows = []
        for name in sorted(self.files):
            digest = base64.urlsafe_b64encode(hashlib.sha256(self.files[name][0]).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(self.files[name][0])}\n")
        self.add(record, ("".join(rows) + f"{record},,\n").encode())
        epoch = max(int(os.environ.get("SOURCE_DATE_EPOCH", ZIP_EPOCH)), ZIP_EPOCH)
        at = time.gmtime(epoch)[:6]
        path = to / self.file
        temporary = path.with_suffix(".part")
        # The metadata comes last, as the format recommends: it is found from the end.
        order = sorted(self.files, key=lambda n: (n.startswith(self.info), n == record, n))
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as z:
            for name in order:
                content, executable = self.files[name]
                entry = zipfile.ZipInfo(name, date_time=at)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3
                mode = stat.S_IFREG | (0o755 if executable else 0o644)
                entry.external_attr = mode << 16
                z.writestr(entry, content)
        temporary.replace(path)
        return path


def metadata(
    name: str, version: str, summary: str, text: str, requires: list[str], typed: bool, python: str = REQUIRES_PYTHON
) -> str:
    out = [
        "Metadata-Version: 2.4",
        f"Name: {name}",
        f"Version: {version}",
        f"Summary: {summary}",
        "License-Expression: Apache-2.0",
        "License-File: LICENSE",
        "Classifier: Environment :: Console",
        "Classifier: Intended Audience :: Science/Research",
        "Classifier: Programming Language :: Python :: 3",
        *(["Classifier: Typing :: Typed"] if typed else []),
        f"Requires-Python: {python}",
        *[f"Requires-Dist: {r}" for r in requires],
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(out) + "\n\n" + text


def stephost_wheel(version: str, target: str, programs: pathlib.Path) -> Wheel:
    text = (ROOT / "python" / "wheel" / "README.md").read_text(encoding="utf-8")
    summary = "Run one step of a machine-learning pipeline somewhere better suited."
    w = Wheel("stephost", version, TAGS[target], metadata("stephost", version, summary, text, [], True))
    w.package(PACKAGE)
    w.program("scripts/stephost", programs / "stephost")
    w.program("data/libexec/stephost/stephost-host", programs / "stephost-host")
    w.program("data/libexec/stephost/plugins/stephost-flavor-local", programs / "plugins" / "stephost-flavor-local")
    for shim in sorted((programs / "shim").glob("stephost-init-*")):
        w.program(f"data/libexec/stephost/shim/{shim.name}", shim)
    return w


def flavor_wheel(flavor: str, version: str, target: str, programs: pathlib.Path) -> Wheel:
    name = f"stephost-flavor-{flavor}"
    text = f"The flavor `{flavor}` of stephost. Installed beside `stephost`, it is usable without registration: see `stephost flavor describe {flavor}`.\n"
    w = Wheel(name, version, TAGS[target], metadata(name, version, f"The flavor {flavor} of stephost.", text, [f"stephost>={version}"], False))
    w.program(f"data/libexec/stephost/plugins/{name}", programs / "plugins" / name)
    return w


def integration_wheel(path: pathlib.Path) -> Wheel:
    """A package of integrations/, as its pyproject.toml describes it."""
    p = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version, summary = p["name"], p["version"], p["description"]
    text = f"{summary}\n\nSee docs/orchestrators.md in the repository of stephost.\n"
    w = Wheel(name, version, ["any"], metadata(name, version, summary, text, p["dependencies"], True, p["requires-python"]))
    w.package(path / name.replace("-", "_"))
    return w


def main() -> None:
    p = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    p.add_argument("--dist", type=pathlib.Path, required=True, help="directory for the wheels")
    p.add_argument("--bin", type=pathlib.Path, default=ROOT / "bin", help="directory with stephost, stephost-host, plugins/ and shim/")
    p.add_argument("--platform", default=here(), choices=sorted(TAGS))
    p.add_argument("--flavor", action="append", default=[], help="make the wheel of this flavor too")
    p.add_argument("--integrations", action="store_true", help="make the wheels of integrations/ too")
    p.add_argument("--only-flavors", action="store_true", help="leave out the wheel of stephost itself")
    a = p.parse_args()
    version = (ROOT / "VERSION").read_text().strip()
    a.dist.mkdir(parents=True, exist_ok=True)
    wheels = [] if a.only_flavors else [stephost_wheel(version, a.platform, a.bin)]
    wheels += [flavor_wheel(f, version, a.platform, a.bin) for f in a.flavor]
    if a.integrations:
        wheels += [integration_wheel(f.parent) for f in sorted((ROOT / "integrations").glob("*/pyproject.toml"))]
    for w in wheels:
        print(w.write(a.dist))


if __name__ == "__main__":
    main()
