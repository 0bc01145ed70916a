"""Tests of the flavor's own code: python -m pytest examples/python-flavor"""

from flavor import Pool, PoolConfig, PoolSettings
from stephost_flavor import Cancelled, User
from stephost_flavor.testing import Launched, launch


def sh(script: str) -> Launched:
    return launch(Pool(), ["sh", "-c", script], config=PoolConfig(slots=1), settings=PoolSettings(progress="progress:"), secrets={"TOKEN": "s3cr3t"})


def test_success_and_progress() -> None:
    done = sh('echo one; printf "progress: 10%%\\nprogress: 20%%\\nno newline"; echo oops >&2').wait()
    assert done.error is None
    assert done.stdout == b"one\nprogress: 10%\nprogress: 20%\nno newline"
    assert done.stderr == b"oops\n"
    assert done.progress == ["10%", "20%"]


def test_exit_code_and_secret() -> None:
    done = sh('[ "$TOKEN" = s3cr3t ] && exit 7').wait()
    assert isinstance(done.error, User) and done.error.exit_code == 7


def test_cancel() -> None:
    # The shell does not heed SIGTERM, and its child has left for another session.
    step = sh("trap '' TERM; setsid sleep 1000 & echo progress: started; wait; sleep 1000")
    while not step.progress:
        step.cancelled.wait(0.01)
    step.cancelled.grace = 0.2
    step.cancelled.set()
    done = step.wait()
    assert isinstance(done.error, Cancelled)
