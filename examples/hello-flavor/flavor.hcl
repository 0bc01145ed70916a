#!stephost flavor manifest v1 428 sha256:5cd128ead9b939095b69e014c8a1bc0389d62a3ba301bac0f13ea0f076c04bb9
# The manifest of the flavor `hello`. After a change: stephost flavor stamp flavor.hcl
flavor "hello" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a child of the plugin process, in fifteen lines of Go."
  environment  = ["directory"]
  capabilities = ["find", "logs", "cancel", "cleanup"]
  secrets      = "none"

  submission {
    idempotency = "key"
    key_lives   = "while_exists"
  }
}
