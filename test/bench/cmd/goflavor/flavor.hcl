flavor "goflavor" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs steps as children of the plugin, for the benchmarks."
  environment  = ["directory"]
  capabilities = ["find", "logs", "cancel", "cleanup"]
  secrets      = "store"
  submission {
    idempotency = "key"
    key_lives   = "while_exists"
    settle      = "0s"
    keeps       = "1h"
  }
}
