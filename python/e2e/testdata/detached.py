#!/usr/bin/env python3
# #!stephost flavor manifest v1 951 sha256:a41552b3cd7974a27d18b45b5af02f15823a1e9eef98c4bed53e1a1e9c988143
# flavor "detached" {
#   version      = "0.1.0"
#   protocol     = [1]
#   summary      = "For tests: jobs that outlive the plugin, kept in a directory."
#   environment  = ["directory"]
#   capabilities = ["find", "logs", "cancel", "cleanup", "plan", "prepare", "preflight", "read_output"]
#   outputs      = "uri"
#   secrets      = "store"
#   handles      = [1]
#   exec {
#     command = ["{interpreter:python3>=3.10}", "{file}"]
#   }
#   submission {
#     idempotency = "key"
#     key_lives   = "while_exists"
#     settle      = "0s"
#     keeps       = "168h"
#   }
#   config "dir" {
#     type        = string
#     description = "Where the jobs are. A file `fail` in it makes it unreachable."
#   }
#   config "token" {
#     type        = string
#     default     = null
#     sensitive   = true
#     description = "Looked at by nobody."
#   }
#   setting "slow_submit" {
#     type        = number
#     default     = 0
#     description = "Seconds that a submit takes behind the creation."
#   }
# }

"""A Remote for tests. Its backend is a directory; a job is a shell that outlives
the plugin and writes its exit code."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

from stephost_flavor import (
    AlreadyOver, CancelOptions, Config, Found, Handle, Job, LogRequest, LogSource, LogWriter, NoOutput, Output, OutputFile, OutputRange, Phase, Plan, Prepared, Query,
    Rejected, Remote, Scope, Secret, Status, Step, Unreachable, What, main,
)

# Of two runners of one job the second ends at once: `set -C` makes pid once.
RUNNER = 'set -C; echo $$ >pid || exit; set +C; "$@" >stdout 2>stderr; echo $? >exit.part; mv exit.part exit'


@dataclass
class Settings:
    slow_submit: float


@dataclass
class Where:
    dir: str
    token: "Secret | None"


class Detached(Remote):
    Config = Where
    Settings = Settings

    def scope(self, config: Where) -> Scope:
        if os.path.exists(os.path.join(config.dir, "fail")):
            raise Unreachable("the directory says fail")
        return Scope("dir:" + config.dir, "directory " + config.dir)

    def plan(self, config, step, online):
        return Plan(json.dumps({"argv": step.argv, "dir": config.dir}), "json", ["one job, one shell"])

    def preflight(self, config, step):
        if not os.path.isdir(config.dir):
            raise Config("config.dir", "there is no such directory")

    def prepare(self, config, step, progress):
        progress("making nothing")
        return Prepared(b"prepared")

    def submit(self, config: Where, step: Step) -> Handle:
        job = os.path.join(config.dir, step.key)
        handle = Handle(step.key.encode(), native_name=step.key)
        made = tempfile.mkdtemp(prefix=".new-", dir=config.dir)
        os.mkdir(os.path.join(made, "out"))
        with open(os.path.join(made, "job.json"), "w") as f:
            json.dump({"digest": step.request_digest, "token": step.token, "attempt": step.attempt, "run": step.run_id}, f)
        try:
            os.rename(made, job)  # whole or not at all
        except OSError:
            shutil.rmtree(made)
            with open(os.path.join(job, "job.json")) as f:
                if json.load(f)["digest"] != step.request_digest:
                    raise Rejected(Config("", "the key is in use by another request"))
            handle.existing = True
        if not os.path.exists(os.path.join(job, "pid")):
            # New, or half made by a process that was killed here.
            subprocess.Popen(["sh", "-c", RUNNER, "sh", *step.argv], cwd=job, env={**os.environ, **step.environ(), "STEPHOST_OUTPUT_DIR": os.path.join(job, "out")},
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(step.settings.slow_submit)
        if self.told(config, "slow"):
            time.sleep(2)
        if self.told(config, "lost"):
            raise Unreachable("the answer was lost")
        return handle

    def told(self, config: Where, fault: str) -> bool:
        """Whether the test has asked for a fault; it is played once."""
        try:
            os.unlink(os.path.join(config.dir, fault))
        except FileNotFoundError:
            return False
        return True

    def status(self, config: Where, handle: Handle) -> Status:
        job = os.path.join(config.dir, handle.data.decode())
        if not os.path.isdir(job):
            return Status(Phase.LOST, message="the job is gone")
        if os.path.exists(os.path.join(job, "exit")):
            code = int(open(os.path.join(job, "exit")).read())
            return Status(Phase.SUCCEEDED if code == 0 else Phase.FAILED, exit_code=code,
                          outputs=[Output(".", "job://" + handle.data.decode())])
        if os.path.exists(os.path.join(job, "cancelled")):
            return Status(Phase.CANCELLED)
        return Status(Phase.RUNNING if os.path.exists(os.path.join(job, "pid")) else Phase.QUEUED)

    def cancel(self, config: Where, handle: Handle, options: CancelOptions) -> None:
        job = os.path.join(config.dir, handle.data.decode())
        if self.status(config, handle).phase.terminal:
            raise AlreadyOver
        try:
            # Who makes pid decides: the runner finds it and ends at once.
            os.close(os.open(os.path.join(job, "pid"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            pid = open(os.path.join(job, "pid")).read()
            if not pid.endswith("\n"):
                raise Unreachable("the job is starting") from None
            try:
                os.killpg(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                raise AlreadyOver from None
        open(os.path.join(job, "cancelled"), "w").close()

    def find(self, config: Where, query: Query) -> Found:
        found = Found()
        for key in sorted(os.listdir(config.dir)):
            try:
                with open(os.path.join(config.dir, key, "job.json")) as f:
                    job = json.load(f)
            except OSError:
                continue
            if key == query.key or (query.token and job["token"] == query.token):
                handle = Handle(key.encode(), key=key)
                found.jobs.append(Job(handle, job["attempt"], job["digest"], phase=self.status(config, handle).phase, run_id=job["run"],
                                      incomplete=not os.path.exists(os.path.join(config.dir, key, "pid"))))
        return found

    def logs(self, config: Where, handle: Handle, request: LogRequest, out: LogWriter) -> None:
        job = os.path.join(config.dir, handle.data.decode())
        at = {stream: request.offset(LogSource(1, stream=stream)) for stream in ("stdout", "stderr")}
        while True:
            over = self.status(config, handle).phase.terminal
            for stream in ("stdout", "stderr"):
                source = LogSource(1, stream=stream)
                try:
                    with open(os.path.join(job, stream), "rb") as f:
                        f.seek(at[stream])
                        while data := f.read(1 << 16):
                            at[stream] = f.tell()
                            out.write(source, data, at[stream])
                except FileNotFoundError:
                    pass
            if over or not request.follow:
                return
            time.sleep(0.05)

    def out(self, config: Where, handle: Handle, location: str) -> str:
        if location != "job://" + handle.data.decode():
            raise Config("", "that is no output of this job")
        return os.path.join(config.dir, handle.data.decode(), "out")

    def output_files(self, config: Where, handle: Handle, location: str):
        top = self.out(config, handle, location)
        for at, _, names in os.walk(top):
            for name in names:
                path = os.path.join(at, name)
                yield self.about(path, os.path.relpath(path, top))

    def about(self, path: str, name: str) -> OutputFile:
        st = os.stat(path)
        return OutputFile(name, st.st_size, f"{st.st_mtime_ns}-{st.st_size}", st.st_mtime)

    def open_output(self, config: Where, handle: Handle, location: str, name: str, offset: int):
        path = os.path.join(self.out(config, handle, location), name)
        if not os.path.isfile(path):
            raise NoOutput
        file = self.about(path, name)
        if offset > 0 and offset >= file.bytes:
            raise OutputRange
        body = open(path, "rb")
        body.seek(offset)
        return file, body

    def cleanup(self, config: Where, handle: Handle, what: What) -> None:
        if what == What.RECORD:
            shutil.rmtree(os.path.join(config.dir, handle.data.decode()), ignore_errors=True)


main(Detached())
