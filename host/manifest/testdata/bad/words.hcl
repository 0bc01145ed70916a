flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  kind         = "orchestrator"
  capabilities = ["plann", "plan", "plan", "teleport"]
  secrets      = "hidden"
  outputs      = "uris"
  handles      = [0, 1.5, "x"]
  pass_env     = ["*", "A B", "AWS_*"]
  tls          = "none"
  machine_arch = "X 86"
  submision {
  }
  submission {
    idempotency = "key"
    settle      = "2 minutes"
    keeps       = "7d"
  }
  resources {
    honours = ["gpus", "cpu", "cpu", "tpu"]
  }
  exec {
    command = ["python3", "{path}"]
  }
}
