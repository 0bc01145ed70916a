"""ReadOutput, without a process."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from stephost_flavor import CancelOptions, Config, Handle, NoOutput, OutputFile, OutputRange, Remote, Status, Step, Unreachable
from stephost_flavor._proto import operator_pb2 as pb
from stephost_flavor.implementation import RemoteImplementation
from stephost_flavor.manifest import ManifestError, read
from stephost_flavor.outputs import read_output
from stephost_flavor.server import Server

MANIFEST = b'flavor "hive" {\n  version = "1.0.0"\n  protocol = [1]\n  capabilities = ["cancel", "read_output"]\n}\n'


class Hive(Remote):
    content = b"0123456789"
    version = "v1"
    size = 10
    error: BaseException | None = None

    def submit(self, config: Any, step: Step) -> Handle:
        return Handle(b"x")

    def status(self, config: Any, handle: Handle) -> Status:
        raise NotImplementedError

    def cancel(self, config: Any, handle: Handle, options: CancelOptions) -> None:
        pass

    def output_files(self, config: Any, handle: Handle, location: str) -> Any:
        if location == "hive://empty":
            return
        yield OutputFile("a", 10, "v1")
        yield OutputFile("b/c")

    def open_output(self, config: Any, handle: Handle, location: str, name: str, offset: int) -> Any:
        if self.error is not None:
            raise self.error
        if 0 < len(self.content) <= offset:
            raise OutputRange
        body = io.BytesIO(self.content)
        body.seek(offset)
        return OutputFile(name, self.size, self.version), body


def ask(hive: Hive, **what: Any) -> tuple[list[pb.ReadOutputResponse], bytes]:
    location = what.pop("location", "hive://x")

    async def run() -> list[pb.ReadOutputResponse]:
        server = Server(read(MANIFEST), RemoteImplementation(hive))
        got: list[pb.ReadOutputResponse] = []

        async def send(m: pb.ReadOutputResponse) -> None:
            got.append(m)

        request = pb.ReadOutputRequest(location=location, key="k", handle=pb.Handle(version=1, data=b"x"), **what)
        request.target.config.json = b"{}"
        await read_output(server, request, send)
        return got

    got = asyncio.run(run())
    return got, b"".join(m.data for m in got)


def file(name: str = "a", offset: int = 0, version: str = "") -> pb.ReadOutputRequest.Read:
    return pb.ReadOutputRequest.Read(name=name, offset=offset, version=version)


def test_whole() -> None:
    got, data = ask(Hive(), read=file())
    assert data == b"0123456789"
    assert got[0].file.bytes == 10 and got[0].file.offset == 0
    assert got[-1].HasField("done")


@pytest.mark.parametrize(("offset", "version", "data", "begins"), [(4, "v1", b"456789", 4), (4, "v0", b"0123456789", 0), (99, "v1", b"0123456789", 0)])
def test_goes_on(offset: int, version: str, data: bytes, begins: int) -> None:
    got, sent = ask(Hive(), read=file(offset=offset, version=version))
    assert sent == data and got[0].file.offset == begins and got[-1].HasField("done")


@pytest.mark.parametrize("size", [20, 5])
def test_another_size_is_no_end(size: int) -> None:
    hive = Hive()
    hive.size = size
    got, _ = ask(hive, read=file())
    assert got[-1].could_not_ask.reason == pb.CouldNotAsk.REASON_UNREACHABLE


@pytest.mark.parametrize(
    ("error", "class_"),
    [(NoOutput(), pb.CLASS_LOST), (Config("", "not ours"), pb.CLASS_CONFIG), (ValueError("oops"), pb.CLASS_SYSTEM)],
)
def test_refused(error: Exception, class_: int) -> None:
    hive = Hive()
    hive.error = error
    got, _ = ask(hive, read=file())
    assert [d.class_ if hasattr(d, "class_") else getattr(d, "class") for m in got for d in m.diagnostics] == [class_]
    assert not got[-1].HasField("done")


@pytest.mark.parametrize("error", [Unreachable("away"), OSError("reset")])
def test_could_not_ask(error: Exception) -> None:
    hive = Hive()
    hive.error = error
    got, _ = ask(hive, read=file())
    assert got[-1].HasField("could_not_ask")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/./b", "nul\0"])
def test_names(name: str) -> None:
    got, data = ask(Hive(), read=file(name))
    assert data == b"" and len(got) == 1 and got[0].diagnostics


def test_list() -> None:
    got, data = ask(Hive(), list=pb.ReadOutputRequest.List())
    assert [m.file.name for m in got[:-1]] == ["a", "b/c"] and data == b"" and got[-1].HasField("done")
    got, _ = ask(Hive(), list=pb.ReadOutputRequest.List(), location="hive://empty")
    assert getattr(got[0].diagnostics[0], "class") == pb.CLASS_LOST
    got, _ = ask(Hive())
    assert getattr(got[0].diagnostics[0], "class") == pb.CLASS_CONFIG


def test_both_methods() -> None:
    class Half(Hive):
        output_files = None  # type: ignore[assignment]

    with pytest.raises(ManifestError, match="go together"):
        RemoteImplementation(Half()).check(read(MANIFEST))
