"""Looks after a step's command on a worker of a standalone cluster.

A worker ends a driver with a signal to its Java alone, and looks after nothing that
a driver leaves behind. So the program that Java has started stays, with the command
as its child, and when the command or Java ends it ends whatever is left of it.
"""
import os
import signal
import time

# Of prctl(2). The signal of a parent's death is sent when the thread ends that made
# the child; Java waits for its child in the thread that has started it.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# ENDS are what ends this program from outside.
ENDS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# SWEEP_MOST is how long what is killed may take to be gone, in seconds: the kernel
# is not always done at once.
SWEEP_MOST = 10


def prctl(option, value):
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def stay(parent):
    """Returns in a child, which becomes the command and ends with this process. This
    process never returns: it ends with the command's exit code, when nothing is left
    of the command, or so when parent ends before.
    """
    # None of the signals comes through but where it is waited for.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS | {signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or parent == 1:
        os._exit(128 + signal.SIGKILL)  # it has ended before
    me = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != me:
            os._exit(128 + signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    code = wait(child)
    sweep()
    os._exit(code)


def wait(child):
    """Waits for the end of the command, or for a signal to end."""
    while True:
        number = signal.sigwait(ENDS | {signal.SIGCHLD})
        if number in ENDS:
            return 128 + number
        while True:
            # Others are what the command has left behind, and this process inherits.
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if pid == 0:
                break


def sweep():
    """Kills what the command has left."""
    until = time.monotonic() + SWEEP_MOST
    while time.monotonic() < until:
        for pid in left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return  # nobody is left
        time.sleep(0.005)


def left():
    """The processes below this one. Those whose parent has ended are its children."""
    below, found = {}, []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, "rb") as f:
                # The name of the program, in brackets, may hold anything.
                state, parent = f.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue  # it has ended
        if state != b"Z":
            below.setdefault(int(parent), []).append(int(name))
    look = [os.getpid()]
    while look:
        children = below.get(look.pop(), [])
        found += children
        look += children
    return found
