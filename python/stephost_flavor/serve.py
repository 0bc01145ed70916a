"""The plugin process: serves until it is told to stop, and then ends.

Stop is said by the end of the lifeline, by SIGTERM, or by go-plugin's Shutdown.
Then new calls are refused, running ones cancelled; a running Submit may finish,
because a creating call that is cut off leaves a job that nobody knows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Awaitable
from typing import Any, TextIO

from . import log as hostlog
from .implementation import Implementation
from .lifeline import MAJOR, Lifeline, StartError, der
from .limits import FLUSH, MAX_MESSAGE, SUBMIT_GRACE
from .manifest import Manifest
from .refusals import Stopping, Stranger

log = logging.getLogger("stephost_flavor")

# The host offers X25519 alone; with an older grpcio the handshake fails, and its
# message ("no shared group") helps nobody.
MIN_GRPCIO = (1, 83)

# go-plugin's Serving answer of grpc.health.v1.HealthCheckResponse.
_SERVING = b"\x08\x01"


def serve(lifeline: Lifeline, manifest: Manifest, implementation: Implementation, stdout: int) -> int:
    """Serves, and returns the exit code. stdout is the descriptor of the real
    standard output, for the handshake line."""
    hostlog.setup(lifeline.log_level, human=lifeline.attached)
    _name("stephost-" + manifest.name)
    return asyncio.run(_Process(lifeline, manifest, implementation).run(stdout))


class _Process:
    def __init__(self, lifeline: Lifeline, manifest: Manifest, implementation: Implementation) -> None:
        self.lifeline, self.manifest, self.implementation = lifeline, manifest, implementation
        self.stop = asyncio.Event()
        self.stopping = False
        self.running: set[asyncio.Future[Any]] = set()
        self.submits: set[asyncio.Future[Any]] = set()
        self.peer = der(lifeline.tls.peer) if lifeline.tls else b""
        self.known: set[bytes] = set()

    async def run(self, stdout: int) -> int:
        quiet = _quiet_grpc()
        import grpc

        from .server import Server, handlers

        if tuple(int(n) for n in re.findall(r"\d+", grpc.__version__)[:2]) < MIN_GRPCIO:
            raise StartError(f"grpcio {grpc.__version__} is too old, {'.'.join(map(str, MIN_GRPCIO))} is needed: pip install --upgrade grpcio")
        server = Server(self.manifest, self.implementation, self.lifeline.attached)
        rpc = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
            ]
        )
        rpc.add_generic_rpc_handlers((handlers(server, self.enter), *self.go_plugin()))
        socket = os.path.join(self.lifeline.socket_dir, "plugin.sock")
        address = "unix:" + socket
        if self.lifeline.tls is None:
            rpc.add_insecure_port(address)
        else:
            tls = self.lifeline.tls
            rpc.add_secure_port(
                address, grpc.ssl_server_credentials([(tls.key, tls.cert)], root_certificates=tls.peer, require_client_auth=True)
            )
        await rpc.start()
        os.chmod(socket, 0o600)
        for name in quiet:
            del os.environ[name]  # read by now, and no business of the author's programs
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop.set)
        for deaf in (signal.SIGINT, signal.SIGHUP):
            # From a terminal; received rather than ignored, because an ignored
            # signal stays ignored in every child.
            loop.add_signal_handler(deaf, lambda: None)
        if self.lifeline.attached:
            loop.add_signal_handler(signal.SIGINT, self.stop.set)  # its author's terminal
        else:
            loop.add_reader(self.lifeline.fd, self.read)
            os.write(stdout, f"1|{MAJOR}|unix|{socket}|grpc|\n".encode())

        await self.stop.wait()
        await self.end(rpc)
        await loop.run_in_executor(None, server.close)
        leavings = [(os.unlink, socket)]
        if not self.lifeline.attached:
            leavings.append((os.rmdir, self.lifeline.socket_dir))
        for remove, path in leavings:
            try:
                remove(path)
            except OSError:
                pass  # the host, or gRPC, was first
        return 0

    def read(self) -> None:
        """Skips lines of a later protocol; the end means stop."""
        try:
            if os.read(self.lifeline.fd, 4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        asyncio.get_running_loop().remove_reader(self.lifeline.fd)
        self.stop.set()

    async def end(self, rpc: Any) -> None:
        """The orderly stop of the calls."""
        self.stopping = True
        in_flight = bool(self.running or self.submits)
        for task in list(self.running):
            task.cancel()
        if self.submits:
            await asyncio.wait(self.submits, timeout=SUBMIT_GRACE)
        await rpc.stop(FLUSH if in_flight else 0)

    async def enter(self, name: str, context: Any, work: Awaitable[Any]) -> Any:
        """Runs one call of the contract."""
        task = asyncio.ensure_future(work)
        if self.stopping or not self.known_peer(context):
            task.cancel()
            raise Stopping if self.stopping else Stranger
        if name == "Submit":
            # gRPC cancels the call when the connection breaks, that is, when the
            # host dies. The creating call goes on.
            self.submits.add(task)
            task.add_done_callback(self.submits.discard)
            return await asyncio.shield(task)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        try:
            return await task
        except asyncio.CancelledError:
            if self.stopping and task.cancelled():
                raise Stopping from None
            raise

    def known_peer(self, context: Any) -> bool:
        """The host's certificate and no other. The TLS library accepts what that
        certificate has signed, too; the host signs nothing, but promises are kept."""
        if not self.peer:
            return True
        for pem in context.auth_context().get("x509_pem_cert", ()):
            if pem in self.known:
                return True
            if der(pem) == self.peer:
                self.known.add(pem)
                return True
        return False

    def go_plugin(self) -> tuple[Any, Any]:
        """The services of go-plugin that mean something here."""
        import grpc

        def raw(f: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(f)

        async def shutdown(_request: bytes, _context: Any) -> bytes:
            self.stop.set()
            return b""

        async def check(_request: bytes, _context: Any) -> bytes:
            return _SERVING

        return (
            grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": raw(shutdown)}),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": raw(check)}),
        )


def protect_stdout() -> int:
    """Sends everything that is printed to standard error, also by native code, and
    returns a descriptor of the real standard output. Prints never fail: the host
    may be gone, and that must not end a step."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = _Forgiving(sys.stdout)
    sys.stderr = _Forgiving(sys.stderr)
    return stdout


class _Forgiving:
    """A text stream whose writes do not fail."""

    def __init__(self, stream: TextIO | Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
        return len(text)

    def flush(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _quiet_grpc() -> list[str]:
    """Variables for gRPC's core, unless somebody has set them: its handlers of fork
    know nothing of a subprocess and warn about it; its other news is for those who
    work on it."""
    names = []
    for name, value in (("GRPC_ENABLE_FORK_SUPPORT", "0"), ("GRPC_VERBOSITY", "ERROR")):
        if name not in os.environ:
            os.environ[name] = value
            names.append(name)
    return names


def _name(name: str) -> None:
    """Names the process in top and ps: else it is called python3."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii", errors="replace") as f:
            f.write(name[:15])
    except OSError:
        pass
