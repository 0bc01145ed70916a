flavor "fifteen" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step inside the plugin process, in fifteen lines of Go."
  environment  = ["directory"]
  capabilities = ["find", "logs", "cancel", "cleanup"]
  secrets      = "store"

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
  }
}
