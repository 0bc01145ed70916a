flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  submission {
    idempotency = "search"
    key_lives   = "forever"
  }
  exec {
    command = []
  }
  exec {
    command = []
  }
}
