flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  config "a" {
    type    = string
    default = "a"
    validation {
      condition     = value == "b"
      error_message = "must be b"
    }
  }
  config "n" {
    type    = number
    default = null
  }
  rule {
    condition     = config.n > 3
    error_message = "too small"
  }
  rule {
    condition     = upperr(config.a) == "A"
    error_message = "no"
  }
  rule {
    condition     = config.a
    error_message = "no"
  }
}
