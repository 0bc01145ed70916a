#!stephost flavor manifest v1 15265 sha256:78ff666737dc86b1b3980db533fc1ededa3cd6e0bd5cdd740d67f0c356578699
# The manifest of the flavor `modal`. After a change: stephost flavor stamp flavor.hcl
flavor "modal" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a Modal sandbox."
  environment  = ["image"]
  capabilities = ["plan", "prepare", "find", "logs", "cancel", "cleanup", "preflight"]
  secrets      = "store"
  outputs      = "uri"
  handles      = [1]
  pass_env     = ["MODAL_*", "DOCKER_CONFIG"]
  machine_arch = "amd64"

  prerequisites = <<-EOT
    A Modal workspace and a token: `token_id` and `token_secret`, or what `modal token new` leaves in ~/.modal.toml (MODAL_CONFIG_PATH, MODAL_PROFILE), or MODAL_TOKEN_ID and MODAL_TOKEN_SECRET. `stephost doctor OPERATOR` asks for all that a step needs.

    A registry that Modal can pull from: images are built by stephost, pushed there, and become a Modal image by their digest before the first launch. For a private one give `registry_secret`, the name of a Modal secret with REGISTRY_USERNAME and REGISTRY_PASSWORD (`registry_auth = "static"`), with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION ("aws"), or with SERVICE_ACCOUNT_JSON ("gcp"); or `registry_login = true`, and the login of this machine's Docker configuration is given to Modal for the pull alone.

    Runs are sandboxes of an app, and found there by their tags. Without `app` each project has one of its own: the project `digits`, that is the directory of its stephost.hcl or what `project { name = "digits" }` in it says, has `stephost-digits`. A name that Modal does not take, or that is too long, is fitted and gets a hash. A run token is looked for in all of these apps, so that a run is found from another directory too. A sandbox with a GPU is one of Modal's older backend, every other one of the newer; `backend` chooses. What a run leaves beside its sandbox, a Modal secret with the name stephost-KEY, is removed when the run is over. `stephost run prune --remote` stops an app with the name stephost, or one that begins with "stephost-", when nothing in it runs and the last sandbox is a day old; an app with another name is yours and stays.

    Modal ends every sandbox after 24 hours at most, and after five minutes where nothing is said: stephost sends `timeouts.run`, else `sandbox_timeout`, else 24 hours.

    Outputs go to a Modal volume, `output_volume`, which the step finds as the directory STEPHOST_OUTPUT_DIR (in an image that stephost builds it is there; else the step makes it). `modal volume get NAME KEY` fetches them.

    For people who come from other tools: `region`, `cloud`, `modal_environment`, `token_id`, `token_secret` and `workspace` are called so here too, and each is in the request. A GPU is `gpu` and `gpu_type` of the step's resources, or `modal_gpu` in Modal's words; a limit of time is `timeouts.run`. cpu and memory are the step's `resources`: a core is a physical one, and both are what the sandbox has for sure; `cpu_limit` and `memory_limit_mib` bound it.

    Not verified on the real service, for want of an account: whether lists of sandboxes are late, and how long they show ended ones; how long the output of an ended sandbox can be read from its machine; in which words a sandbox ends that was preempted or could not start; that a sandbox is never started twice; whether tags have limits. The older backend keeps output as text: bytes that are no UTF-8 are replaced there.
  EOT
  permissions   = <<-EOT
    The token's user or service user must be able to write to the environment: to create apps, images, secrets and sandboxes in it. Secrets of a step are Modal secrets: who may use the environment can use them while the run lasts, but no API shows their values.
  EOT

  submission {
    idempotency = "key"
    key_lives   = "while_running"
    settle      = "60s"
    keeps       = "168h"
  }

  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type"]
  }

  # Where, and as whom.

  config "token_id" {
    type        = string
    default     = null
    description = "ID of a Modal token (ak-...). Default: MODAL_TOKEN_ID, else the profile in ~/.modal.toml."
    validation {
      condition     = value == null || can(regex("^(ak|as|wk|ws)-[A-Za-z0-9]+$", value))
      error_message = "does not look like the ID of a Modal token, such as ak-1234567890abcdefghijkl"
      severity      = "warning"
    }
  }

  config "token_secret" {
    type        = string
    default     = null
    sensitive   = true
    description = "Secret of the token."
  }

  config "workspace" {
    type        = string
    default     = null
    description = "Name of the workspace that the token must belong to. Default: whichever it belongs to."
    validation {
      condition     = value == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", value))
      error_message = "must be the name of a workspace: letters, digits, \"-\", \"_\" and \".\""
    }
  }

  config "modal_environment" {
    type        = string
    default     = null
    description = "Modal environment. Default: MODAL_ENVIRONMENT, else that of the profile, else the workspace's default."
    validation {
      condition     = value == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", value))
      error_message = "must be the name of an environment: 1 to 64 letters, digits, \"-\", \"_\" and \".\""
    }
  }

  config "app" {
    type        = string
    default     = null
    aliases     = ["app_name"]
    description = "App that the sandboxes belong to; it is made when it is missing. Default: one for each project, stephost-PROJECT, and stephost for what is launched outside of a project."
    validation {
      condition     = value == null || can(regex("^[A-Za-z0-9_.-]{1,63}$", value)) && !can(regex("^ap-[A-Za-z0-9]{22}$", value))
      error_message = "must be the name of an app: 1 to 63 letters, digits, \"-\", \"_\" and \".\", and no app ID"
    }
  }

  config "output_volume" {
    type        = string
    default     = null
    description = "Modal volume for outputs; it is made when it is missing. Without it a step has no outputs but its values."
    validation {
      condition     = value == null || can(regex("^[A-Za-z0-9_.-]{1,63}$", value))
      error_message = "must be the name of a volume: 1 to 63 letters, digits, \"-\", \"_\" and \".\""
    }
  }

  config "registry_secret" {
    type        = string
    default     = null
    description = "Name of the Modal secret that Modal pulls the image with."
  }

  config "registry_auth" {
    type        = string
    default     = "static"
    one_of      = ["static", "aws", "gcp"]
    description = "What registry_secret holds: a user name and a password, AWS credentials for ECR, or a service account for Artifact Registry."
  }

  config "registry_login" {
    type        = bool
    default     = false
    description = "Give Modal the login that this machine's Docker configuration has for the image's registry, for the pull alone. It travels as a Modal secret without a name, which Modal removes by itself."
  }

  # The sandbox.

  setting "modal_gpu" {
    type        = string
    default     = null
    description = "GPU in Modal's words, with a count if there are more: T4, L4, A10, L40S, A100-40GB, A100-80GB, H100, H200, B200, \"A100-80GB:2\". Default: the step's gpu and gpu_type."
    validation {
      condition     = value == null || can(regex("^[A-Za-z0-9][A-Za-z0-9+!-]*(:[1-9][0-9]*)?$", value))
      error_message = "must be a GPU as Modal has it, such as T4 or \"A100-80GB:2\"; gpu_type = \"t4\" in the step's resources works on every flavor"
    }
    validation {
      condition     = value == null || !can(regex("^[A-Za-z0-9]", value)) || contains(["ANY", "T4", "L4", "A10", "A10G", "L40S", "A100", "A100-40GB", "A100-80GB", "RTX-PRO-6000", "H100", "H100!", "H200", "B200", "B200+"], upper(split(":", value)[0]))
      error_message = "${value} is no GPU that Modal had in 2026-10"
      severity      = "warning"
    }
  }

  setting "region" {
    type        = any
    default     = null
    aliases     = ["regions"]
    description = "Region, or a list of regions, that the sandbox may run in, for example us-east or eu-west-1. Default: anywhere."
    validation {
      condition     = value == null || can(regex("^[a-z0-9-]+$", value)) || (can(length(value)) && can([for r in value : regex("^[a-z0-9-]+$", r)]) && length(value) > 0)
      error_message = "must be a region such as \"us-east\", or a list of regions"
    }
  }

  setting "cloud" {
    type        = string
    default     = null
    description = "Cloud that the sandbox runs on: aws, gcp, oci or auto. Default: any."
    validation {
      condition     = value == null || can(regex("^[a-z0-9-]+$", value))
      error_message = "must be a cloud in small letters, such as aws, gcp or oci"
    }
  }

  setting "sandbox_timeout" {
    type        = string
    default     = null
    description = "Longest life of the sandbox, for example 2h, where the step has no timeouts.run; with both the shorter one holds. A number is in seconds."
    validation {
      condition     = value == null || can(regex("^([0-9]+(h|m|s))+$", value)) || can(regex("^[1-9][0-9]*$", value))
      error_message = "must be a duration, such as 90m or 12h, or a number of seconds"
    }
  }

  setting "backend" {
    type        = string
    default     = null
    one_of      = ["v1", "v2"]
    description = "Modal's backend for sandboxes: v2, the newer one, has no GPUs. Default: v1 with a GPU, else v2."
  }

  setting "cpu_limit" {
    type        = number
    default     = null
    min         = 0.125
    description = "Most physical cores that the sandbox may use; the step's cpu is what it has for sure. Default: Modal's."
  }

  setting "memory_limit_mib" {
    type        = number
    default     = null
    min         = 1
    aliases     = ["memory_limit"]
    description = "Most memory in MiB: a sandbox that wants more is ended. The step's memory is what it has for sure. Default: no limit."
  }

  setting "volumes" {
    type = map(object({
      name      = string
      read_only = optional(bool, false)
      sub_path  = optional(string)
      create    = optional(bool, false)
    }))
    default     = {}
    merge       = "keys"
    description = "Modal volumes by the directory that the step finds them in. create makes a missing one."
    validation {
      condition     = alltrue([for path, v in value : can(regex("^/[^/]", path)) && can(regex("^[A-Za-z0-9_.-]{1,63}$", v.name))])
      error_message = "each has an absolute directory and the name of a volume"
    }
  }

  setting "cloud_bucket_mounts" {
    type = map(object({
      bucket           = string
      secret           = optional(string)
      read_only        = optional(bool, false)
      requester_pays   = optional(bool, false)
      endpoint_url     = optional(string)
      key_prefix       = optional(string)
      oidc_role_arn    = optional(string)
      force_path_style = optional(bool, false)
    }))
    default     = {}
    merge       = "keys"
    description = "Buckets of S3, R2 or Google Cloud Storage by the directory that the step finds them in. secret is the name of a Modal secret with the bucket's credentials; endpoint_url tells R2 and Google from S3."
    validation {
      condition     = alltrue([for path, m in value : can(regex("^/[^/]", path)) && length(m.bucket) > 0])
      error_message = "each has an absolute directory and a bucket"
    }
    validation {
      condition     = alltrue([for path, m in value : m.key_prefix == null || can(regex("/$", m.key_prefix))])
      error_message = "key_prefix begins the name of every object, so it ends in \"/\""
    }
    validation {
      condition     = alltrue([for path, m in value : !m.requester_pays || m.secret != null])
      error_message = "requester_pays needs secret"
    }
  }

  setting "modal_secrets" {
    type        = list(string)
    default     = []
    description = "Names of Modal secrets whose variables the step gets. The step's own env and secrets win."
  }

  setting "proxy" {
    type        = string
    default     = null
    description = "Name of the Modal proxy in front of the sandbox, for a fixed address."
  }

  setting "block_network" {
    type        = bool
    default     = false
    description = "Let the step reach nothing on the network."
  }

  setting "outbound_cidrs" {
    type        = list(string)
    default     = null
    description = "The only address ranges that the step may reach, for example 10.0.0.0/8; [] = none."
  }

  setting "outbound_domains" {
    type        = list(string)
    default     = null
    description = "The only domains that the step may reach, for example *.example.com; [] = none."
  }

  setting "runtime" {
    type        = string
    default     = null
    one_of      = ["gvisor", "vm"]
    description = "What the sandbox runs in. Default: Modal's choice."
  }

  setting "oidc_identity_token" {
    type        = bool
    default     = false
    aliases     = ["include_oidc_identity_token"]
    description = "Give the step MODAL_IDENTITY_TOKEN, to sign in to clouds with."
  }

  setting "nonpreemptible" {
    type        = bool
    default     = false
    description = "Ask for a machine that is not taken away (at another price)."
  }

  setting "verbose_logging" {
    type        = bool
    default     = false
    description = "Let Modal log more about the sandbox."
  }

  setting "experimental_options" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Modal's experimental options by name, for example { enable_docker = \"true\" }."
  }

  rule {
    condition     = given.token_id == given.token_secret
    error_message = "token_id and token_secret belong together: give both or neither"
    paths         = ["config.token_id", "config.token_secret"]
  }
  rule {
    condition     = !(given.registry_secret && config.registry_login)
    error_message = "give either registry_secret or registry_login"
    paths         = ["config.registry_login", "config.registry_secret"]
  }
  rule {
    condition     = !given.registry_auth || given.registry_secret
    error_message = "registry_auth says what registry_secret holds: give registry_secret too"
    paths         = ["config.registry_auth"]
  }
  rule {
    condition     = !settings.block_network || (!given.outbound_cidrs && !given.outbound_domains)
    error_message = "block_network lets nothing through, so that outbound_cidrs and outbound_domains mean nothing beside it"
    paths         = ["settings.block_network"]
  }
  rule {
    condition     = settings.backend != "v2" || (settings.modal_gpu == null && resources.gpu_type == null && (resources.gpu == null || resources.gpu == 0))
    error_message = "Modal's newer backend (v2) has no GPUs"
    paths         = ["settings.backend"]
  }
  rule {
    condition     = settings.cpu_limit == null || resources.cpu != null
    error_message = "cpu_limit needs cpu in the step's resources"
    paths         = ["settings.cpu_limit"]
  }
  rule {
    condition     = settings.memory_limit_mib == null || resources.memory != null
    error_message = "memory_limit_mib needs memory in the step's resources"
    paths         = ["settings.memory_limit_mib"]
  }
}
