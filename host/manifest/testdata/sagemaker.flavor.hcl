flavor "sagemaker" {
  version      = "0.1.0"
  protocol     = [1]
  kind         = "step_operator"
  summary      = "Runs a step as an Amazon SageMaker training job."
  environment  = ["image"]
  capabilities = ["plan", "find", "logs", "cancel", "cleanup", "preflight", "registry_auth"]
  secrets      = "visible"
  outputs      = "uri"
  handles      = [1]
  pass_env     = ["AWS_*"]
  machine_arch = "amd64"

  submission {
    idempotency = "key"
    key_lives   = "forever"
    settle      = "60s"
    keeps       = "168h"
  }
  resources {
    honours = ["cpu", "memory", "gpu", "gpu_type", "nodes"]
  }

  config "role" {
    type        = string
    description = "IAM role that the job assumes: an ARN or a role name."
    validation {
      condition     = can(regex("^(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+|[A-Za-z0-9+=,.@_-]{1,64})$", value))
      error_message = "must be the ARN or the name of an IAM role"
    }
  }
  config "region" {
    type        = string
    default     = null
    description = "AWS region; that of the login when unset."
    validation {
      condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", value))
      error_message = "must be a region such as eu-west-1"
    }
  }
  config "profile" {
    type        = string
    default     = null
    description = "Profile of the AWS configuration."
  }
  config "bucket_name" {
    type        = string
    default     = null
    description = "Bucket for outputs."
    aliases     = ["bucket"]
    validation {
      condition     = length(value) >= 3 && length(value) <= 63 && can(regex("^[a-z0-9][a-z0-9.-]*[a-z0-9]$", value))
      error_message = "must be a bucket name"
    }
  }
  config "access_key_id" {
    type        = string
    default     = null
    description = "Access key, where no login exists."
  }
  config "secret_access_key" {
    type        = string
    default     = null
    sensitive   = true
    description = "Secret of the access key."
  }
  config "mode" {
    type        = string
    default     = "training"
    one_of      = ["training", "processing"]
    description = "Kind of job."
  }
  config "experiment_name" {
    type        = string
    default     = null
    description = "Experiment that the job is recorded in."
  }
  setting "instance_type" {
    type        = string
    default     = null
    description = "Instance type; chosen from the step's resources when unset."
    validation {
      condition     = startswith(value, "ml.")
      error_message = "must begin with \"ml.\""
    }
    validation {
      condition     = contains(["ml.m5.large", "ml.m5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge"], value)
      error_message = "${value} is not in the table of 2026-10"
      severity      = "warning"
    }
  }
  setting "instance_count" {
    type    = number
    default = 1
    min     = 1
    max     = 100
  }
  setting "volume_size" {
    type        = number
    default     = 30
    min         = 1
    max         = 16384
    description = "Size of the volume in GB."
  }
  setting "volume_kms_key" {
    type    = string
    default = null
  }
  setting "subnets" {
    type    = list(string)
    default = []
  }
  setting "security_group_ids" {
    type    = list(string)
    default = []
  }
  setting "use_spot" {
    type    = bool
    default = false
  }
  setting "max_wait" {
    type         = string
    default      = null
    applies_when = settings.use_spot
    description  = "How long spot capacity is waited for."
  }
  setting "tags" {
    type        = map(string)
    default     = {}
    merge       = "keys"
    description = "Tags of the job | and of nothing else."
  }
  setting "metric_definitions" {
    type    = list(object({ name = string, regex = string }))
    default = []
  }
  setting "input_channels" {
    type = map(object({
      uri          = string
      content_type = optional(string)
      mode         = optional(string, "File")
      shuffle      = optional(object({ seed = optional(number, 42) }))
    }))
    default = {}
  }
  setting "checkpoint_uri" {
    type    = string
    default = null
  }
  setting "network_isolation" {
    type    = bool
    default = false
  }
  setting "encrypt_traffic" {
    type       = bool
    default    = false
    deprecated = "It is always on since 0.1."
  }
  setting "keep_alive" {
    type    = number
    default = 0
    max     = 3600
  }
  setting "profiler" {
    type    = bool
    default = false
  }
  setting "container_arguments" {
    type    = any
    default = null
  }

  rule {
    condition     = given.access_key_id == given.secret_access_key
    error_message = "access_key_id and secret_access_key are given together or not at all"
    paths         = ["config.access_key_id", "config.secret_access_key"]
  }
  rule {
    condition     = settings.instance_type == null || resources.gpu_type == null
    error_message = "an instance type and a gpu_type exclude each other"
    paths         = ["settings.instance_type", "resources.gpu_type"]
  }
  rule {
    condition     = length(settings.subnets) == 0 || length(settings.security_group_ids) > 0
    error_message = "subnets need security_group_ids"
    severity      = "warning"
    paths         = ["settings.subnets"]
  }

  prerequisites = <<-EOT
    An AWS account with a bucket and a role. The price is written $${amount}.
  EOT
  permissions   = <<-EOT
    ```json
    {"Action": ["sagemaker:CreateTrainingJob"]}
    ```
  EOT
}
