flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  prerequisites = "Set ${HOME} first."
  config "a" {
    type        = string
    description = "Costs ${1 + 1} dollars"
    default     = "${"x"}"
  }
}
