"""A file lock that ends with its process."""

from __future__ import annotations

import os


class Lock:
    """Held by one process at a time. A descriptor of its own for each Lock, so that
    two Locks in one process exclude each other too."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def try_acquire(self) -> bool:
        """Takes the lock unless somebody holds it. Never waits."""
        import fcntl  # not on Windows, where plugins in Python do not run

        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def release(self) -> None:
        """Gives the lock back; without one it does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
