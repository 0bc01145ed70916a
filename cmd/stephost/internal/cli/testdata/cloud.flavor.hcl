flavor "cloud" {
  version      = "VERSION"
  protocol     = [1]
  summary      = "A test cloud."
  environment  = ["image"]
  capabilities = ["plan", "find", "logs", "cancel"]
  secrets      = "store"
  outputs      = "none"
  handles      = [1]
  submission {
    idempotency = "key"
    key_lives   = "forever"
    settle      = "60s"
    keeps       = "168h"
  }
  resources {
    honours = ["cpu", "memory", "gpu"]
  }
  config "role" {
    type        = string
    description = "Role that the job assumes."
    validation {
      condition     = can(regex("^[a-z-]+$", value))
      error_message = "must be the name of a role"
    }
  }
  config "password" {
    type        = string
    default     = null
    sensitive   = true
    description = "Password of the service account."
  }
  config "region" {
    type        = string
    default     = "north"
    one_of      = ["north", "south"]
    aliases     = ["zone"]
    description = "Region of the jobs."
  }
  setting "tolerations" {
    type        = list(object({ key = string, effect = optional(string, "NoSchedule") }))
    default     = []
    description = "Tolerations."
  }
  setting "volume_size" {
    type        = number
    default     = VOLUME
    min         = 1
    max         = 1000
    description = "Size of the volume in GB."
  }
  setting "spot" {
    type        = bool
    default     = false
    description = "Use spot machines."
  }
}
