flavor "shelf" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Takes jobs with images and puts them into a directory (for tests)."
  environment  = ["image"]
  capabilities = ["cancel", "registry_auth"]
  secrets      = "store"
  machine_arch = "amd64"

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    keeps       = "1h"
  }

  resources {
    honours = ["gpu"]
  }

  config "dir" {
    type        = string
    description = "Where jobs go, and where the file auth may lie."
  }
}
