"""The output of a Launcher's step: files, so that the log is whole however long it
is and however often it is read. Times are those of reading."""

from __future__ import annotations

import io
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from . import errors
from .limits import LOG_LOOK, MAX_ENTRY
from .logwriter import LogRequest, LogSource, LogWriter

if TYPE_CHECKING:
    from .launcher_job import Job


class LogFile(io.RawIOBase):
    """One output stream of a step. Every write is appended at once."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """For a subprocess that writes to it directly."""
        if self._fd < 0:
            raise ValueError("the step is over")
        return self._fd

    def write(self, data: Any, /) -> int:
        """Appends all of data."""
        view = memoryview(data).cast("B")
        total = len(view)
        with self._lock:
            while view:
                view = view[os.write(self.fileno(), view) :]
        return total

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
        super().close()


def read_logs(job: Job | None, directory: str, attempt: int, r: LogRequest, w: LogWriter) -> None:
    """Reads both streams of a job."""
    if job is None and r.follow:
        from .launcher_job import status_from_disk

        status_from_disk(directory)  # another process may run it: its end cannot be seen from here
    streams = []
    try:
        for name in ("stdout", "stderr"):
            source = LogSource(attempt, stream=name)
            try:
                fd = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            streams.append(_Reader(source, fd, r.offset(source)))
        while True:
            # What is read after this look is all there is.
            ended = job is None or job.done.is_set()
            for s in streams:
                s.drain(w)
            if ended or not r.follow:
                return
            assert job is not None
            _wait(job, streams)
    except OSError as e:
        raise errors.Unreachable(e) from e
    finally:
        for s in streams:
            os.close(s.fd)


def _wait(job: Job, streams: list[_Reader]) -> None:
    """Waits for more, or for the end. A process that writes to the file itself
    tells nobody, so the size is looked at too."""
    while not job.done.wait(LOG_LOOK):
        if any(os.fstat(s.fd).st_size > s.offset for s in streams):
            return


class _Reader:
    def __init__(self, source: LogSource, fd: int, offset: int) -> None:
        self.source, self.fd, self.offset = source, fd, offset

    def drain(self, w: LogWriter) -> None:
        """Writes what is there."""
        while data := os.pread(self.fd, MAX_ENTRY, self.offset):
            self.offset += len(data)
            w.write(self.source, data, self.offset, time.time())
