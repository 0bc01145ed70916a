"""Becomes the command that its argument holds.

spark-submit starts nothing but Python files and jars; its scripts and Java change
some arguments (carriage returns; letters beyond ASCII, in a plain locale), and Java
mixes what Python writes to standard error into standard output (PythonRunner,
redirectErrorStream). So the command travels encoded, and this program replaces
itself with it: it keeps the process, the environment and PySpark's gateway in it.
"""
import base64
import json
import os
import sys

parent = os.getppid()
command = json.loads(base64.b64decode(sys.argv[1]))

if sys.platform == "linux":
    # Java's own two streams, as the runner or the worker reads them.
    for stream in (1, 2):
        try:
            fd = os.open(f"/proc/{parent}/fd/{stream}", os.O_WRONLY | os.O_APPEND)
        except OSError:
            continue  # mixed, as Spark has it
        os.dup2(fd, stream)
        os.close(fd)
if "parent" in command and sys.platform == "linux":
    # In cluster mode nobody looks after the command but the program beside this one.
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import lookafter

    lookafter.stay(parent)
if "dir" in command:
    os.chdir(command["dir"])
argv = command["argv"]
argv[0] = argv[0] or sys.executable  # in an image nobody else knows where Python is
try:
    os.execvp(argv[0], argv)
except OSError as error:
    print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
    sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
