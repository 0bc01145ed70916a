#!stephost flavor manifest v1 2066 sha256:9c99e1b20c85342766fbdc3c8dcf167c2f51edbee020c3648c1f5a491efe1b3c
# The manifest of the flavor `local`. After a change: stephost flavor stamp flavor.hcl
flavor "local" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a process on this machine, apart from stephost itself."
  environment  = ["directory"]
  capabilities = ["plan", "find", "logs", "cancel", "cleanup", "preflight"]
  secrets      = "store"
  outputs      = "directory"
  handles      = [1]
  pass_env     = ["CUDA_*", "NVIDIA_*", "LD_LIBRARY_PATH", "OMP_*", "CONDA_*", "JAVA_HOME", "SPARK_HOME"]

  prerequisites = "Linux. On macOS steps run without limits on cpu and memory, and a process that leaves the step's process group is not found again; on Windows steps cannot run. A step outlives stephost, but not the machine, the container, or a CI system that ends every process of a job."
  permissions   = "None beyond those of the user who launches. A secret is in the environment of the step's process: other users cannot read it, other processes of the same user can."

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    settle      = "0s"
    keeps       = "168h"
  }

  resources {
    honours = ["cpu", "memory", "gpu"]
  }

  config "state_dir" {
    type        = string
    default     = null
    description = "Directory for the records, logs and outputs of jobs: absolute, on a local disk. Default: stephost-local in XDG_STATE_HOME, or in ~/.local/state."
    validation {
      condition     = value == null || can(regex("^(/|[A-Za-z]:)", value))
      error_message = "must be an absolute path"
    }
  }

  config "inherit_env" {
    type        = list(string)
    default     = []
    description = "Names of environment variables of the launching machine that the step gets, besides the basic ones (PATH, HOME, USER, LANG, TMPDIR, proxies). Only those that pass_env lets through are there."
  }

  setting "best_effort" {
    type        = bool
    default     = false
    description = "Run also where a memory request cannot be enforced: then it is not enforced, and the plan says so."
  }
}
