from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from stephost_flavor import hcl, manifest, tools

TEXT = """# comment
flavor "hive" {
  version      = "0.1.0"   // why
  protocol     = [1]
  capabilities = ["find",
    "logs", # trailing
  ]
  /* a block
     comment */
  submission {
    idempotency = "search"
    settle      = "5s"
  }
  config "url" {
    type        = object({ a = string, b = optional(list(string), []) })
    description = "A \\"quoted\\" } text $${x}"
    validation {
      condition     = can(regex("^https?://[^\\"{}]+$", value)) && alltrue([for k, v in value : "${k}}" != v])
      error_message = <<-EOT
        not a } brace
      EOT
    }
  }
  config "token" {
    type = string
    sensitive = true
  }
  setting "n" { type = number }
  rule {
    condition = config.url != null ? true : false
  }
}
"""


def test_read() -> None:
    m = manifest.read(TEXT.encode())
    assert (m.name, m.version, m.protocol) == ("hive", "0.1.0", [1])
    assert m.capabilities == ["find", "logs"]
    assert m.idempotency == "search"
    assert m.config == ["url", "token"] and m.settings == ["n"]
    assert m.digest == "sha256:" + hashlib.sha256(TEXT.encode()).hexdigest()
    stamped = manifest.stamp(TEXT.encode())
    assert manifest.read(stamped) == m
    assert manifest.stamp(stamped) == stamped
    with pytest.raises(manifest.ManifestError, match="stamp"):
        manifest.read(stamped.replace(b"0.1.0", b"0.1.1"))


@pytest.mark.parametrize(
    "text",
    ["", "flavor {", 'flavor "a" {\n version = "1"\n}', "x = ", '"', "a {" * 100, "a = " + "[" * 5000, "a = (" * 3000, 'a = "${"', "a = <<EOT\n", "/*", 'flavor "a" { version = 1 \n protocol = [1] }'],
)  # fmt: skip
def test_nonsense(text: str) -> None:
    with pytest.raises(manifest.ManifestError):
        manifest.read(text.encode())


def test_literals() -> None:
    b = hcl.parse('a = -1\nb = 1.5e3\nc = true\nd = null\ne = "x\\u00e9\\n"\nf = [1, ["a"]]\ng = "${x}"\nh = x.y\ni = { a = 1 }\n')
    assert b.attributes == {"a": -1, "b": 1500.0, "c": True, "d": None, "e": "xé\n", "f": [1, ["a"]]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_in_a_script(tmp_path: Path, end: str) -> None:
    marker = "# " + manifest.MARKER
    body = end.join("# " + line if line else "#" for line in TEXT.split("\n")[:-1])
    script = tmp_path / "flavor.py"
    script.write_bytes(f"#!/usr/bin/env python3{end}{marker}{end}{body}{end}{end}print()  # code{end}".encode())
    assert tools.run(["stamp", str(script)]) == 0
    once = script.read_bytes()
    found = manifest.locate(str(script))
    assert manifest.read(found).source == TEXT.encode()
    assert once.endswith(f"print()  # code{end}".encode())
    assert tools.run(["stamp", str(script)]) == 0
    assert script.read_bytes() == once
    # A comment of the code may follow at once when it is stamped.
    script.write_bytes(once.replace(f"{end}{end}print".encode(), f"{end}# more{end}print".encode()))
    assert manifest.read(manifest.locate(str(script))).source == TEXT.encode()
    # A change shows, and can be stamped.
    changed = once.replace(b'"5s"', b'"50s"')
    script.write_bytes(changed)
    with pytest.raises(manifest.ManifestError, match="stamp"):
        manifest.read(manifest.locate(str(script)))
    assert tools.run(["stamp", str(script)]) == 0
    assert b'"50s"' in manifest.read(manifest.locate(str(script))).source


def test_beside_and_inside(tmp_path: Path) -> None:
    script = tmp_path / "plugin"
    script.write_text("x = 1\n")
    with pytest.raises(manifest.ManifestError, match="no manifest"):
        manifest.locate(str(script))
    (tmp_path / "flavor.hcl").write_text(TEXT)
    assert manifest.locate(str(script)) == TEXT.encode()
    (tmp_path / "plugin.flavor.hcl").write_text(TEXT + "# mine\n")
    assert manifest.locate(str(script)).endswith(b"# mine\n")
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as z:
        z.writestr("__main__.py", "")
        z.writestr("flavor.hcl", TEXT + "# zipped\n")
    assert manifest.locate(str(tmp_path / "app.pyz" / "__main__.py")).endswith(b"# zipped\n")


def test_agree() -> None:
    m = manifest.read(TEXT.encode())
    names = {c: c for c in ("find", "logs", "cancel", "plan")}
    manifest.agree(m, {"find": True, "logs": True, "cancel": True, "plan": False}, names, all=True)
    for have, what in (
        ({"find": True, "logs": False, "cancel": True, "plan": False}, "no method logs"),
        ({"find": True, "logs": True, "cancel": True, "plan": True}, '"plan" is missing'),
        ({"find": False, "logs": True, "cancel": True, "plan": False}, "needs the method find"),
    ):
        with pytest.raises(manifest.ManifestError, match=what):
            manifest.agree(m, have, names, all=True)


def test_handles() -> None:
    assert manifest.read(TEXT.encode()).handles == [1]
    assert manifest.read(TEXT.replace("protocol     = [1]", "protocol = [1]\n  handles = [2, 3]").encode()).handles == [2, 3]
    for bad in ("[]", '["1"]', "1"):
        with pytest.raises(manifest.ManifestError, match="handles"):
            manifest.read(TEXT.replace("protocol     = [1]", f"protocol = [1]\n  handles = {bad}").encode())
