flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  config "mode" {
    type         = string
    default      = null
    applies_when = mode == "x"
  }
  config "a" {
    type         = string
    default      = "a"
    applies_when = value == "x"
    validation {
      condition = valu == "x"
    }
    validation {
      condition     = upperr(value) == "X" && config.mod == null && secret("env:X") == ""
      error_message = "bad"
      severity      = "fatal"
    }
  }
  rule {
    condition     = given.x && resources.gpus > 0 && environment.image != null && settings.a == null
    error_message = "bad"
    paths         = ["config.b", "a", "nowhere.x"]
  }
}
