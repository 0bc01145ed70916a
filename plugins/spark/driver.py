"""Becomes the command that its argument holds.

Spark's scripts and Java would change some arguments (carriage returns; letters
beyond ASCII, in a plain locale), and spark-submit starts nothing but Python files
and jars. So such a command travels encoded, and this program replaces itself with
it: it keeps the process, the environment and PySpark's gateway in it.
"""
import base64
import json
import os
import sys

command = json.loads(base64.b64decode(sys.argv[1]))

if "parent" in command:
    # In cluster mode nobody looks after this process but Java: it must not outlive
    # it. PR_SET_PDEATHSIG = 1, SIGKILL = 9 (prctl(2)).
    import ctypes

    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if os.getppid() == 1:
        sys.exit(137)
if "dir" in command:
    os.chdir(command["dir"])
argv = command["argv"]
try:
    os.execvp(argv[0], argv)
except OSError as error:
    print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
    sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
