flavor "wrong" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Breaks one rule of the contract at a time (for the tests of the conformance suite)."
  environment  = ["directory"]
  capabilities = ["plan", "prepare", "find", "logs", "cancel", "cleanup", "preflight", "registry_auth", "read_output"]
  secrets      = "store"
  outputs      = "directory"
  handles      = [1, 2]

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    settle      = "2s"
    keeps       = "1h"
  }

  config "socket" {
    type        = string
    description = "Unix socket of the backend."
  }
  config "password" {
    type        = string
    default     = null
    sensitive   = true
    description = "Any text."
  }

  setting "count" {
    type        = number
    default     = 3
    description = "Any number."
  }
  setting "flag" {
    type        = bool
    default     = false
    description = "Yes or no."
  }
  setting "tags" {
    type        = map(string)
    default     = {}
    description = "Any texts."
  }
  setting "nodes" {
    type        = list(object({ name = string, size = optional(number, 1) }))
    default     = []
    description = "A list of objects."
  }
}
