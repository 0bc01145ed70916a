flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  config "a" {
    type = string
    validation {
      condition     = can(regex("^a\d+$", value))
      error_message = "no"
    }
  }
}
