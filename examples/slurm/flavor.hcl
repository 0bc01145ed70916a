#!stephost flavor manifest v1 2577 sha256:1871699d0e05a24949f5c3f0ca0e656f9d34c87595f5dc3b3a56501a9f7948c5
# The manifest of the flavor `slurm`. After a change: stephost flavor stamp flavor.hcl
flavor "slurm" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a batch job of a Slurm cluster."
  environment  = ["directory"]
  capabilities = ["plan", "prepare", "find", "logs", "cancel", "cleanup", "preflight"]
  secrets      = "store"
  outputs      = "directory"
  handles      = [1]
  pass_env     = ["SLURM_CONF"]

  prerequisites = "A machine with sbatch, squeue and scancel (sacct is used where the cluster keeps accounts), and a directory that it shares with the nodes under the same path."
  permissions   = "Those of the user who launches: jobs belong to this user. A secret is in the job's environment, which Slurm keeps for itself, unless the cluster's AccountingStoreFlags hold job_env: then a step with secrets is refused without allow_visible_secrets."

  submission {
    # Slurm takes any number of jobs of one name: there is no key to submit with,
    # only a name to search for.
    idempotency = "search"
    # slurmctld may still take a request whose sbatch has gone; sbatch itself
    # gives up after MessageTimeout (10 s by default).
    settle = "30s"
    # The record lies in shared_dir until it is cleaned up, whatever Slurm forgets.
    keeps = "168h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type"]
  }

  config "shared_dir" {
    type        = string
    description = "Directory for the records, logs and outputs of jobs, which this machine and the nodes see under the same path."
    validation {
      # Slurm replaces % and \ in the paths of log files.
      condition     = can(regex("^/[^%\\\\]*$", value))
      error_message = "must be an absolute path without % and \\"
    }
  }

  config "copy_work" {
    type        = bool
    default     = false
    description = "Copy the step's work directory into shared_dir before submission. For a stephost home that the nodes do not see; a virtual environment cannot be copied, so that such steps cannot have requirements."
  }

  setting "partition" {
    type        = string
    default     = null
    description = "Partition; the cluster's default when unset."
  }

  setting "account" {
    type        = string
    default     = null
    description = "Account to charge."
  }

  setting "qos" {
    type        = string
    default     = null
    description = "Quality of service."
  }

  setting "constraint" {
    type        = string
    default     = null
    description = "Features that the node must have, in Slurm's words."
  }
}
