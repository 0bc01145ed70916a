flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  config "a" { type = string, default = "x" }
}
