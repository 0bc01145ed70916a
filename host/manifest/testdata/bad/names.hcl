flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  config "flavor" {
    type = string
  }
  config "Role" {
    type = string
  }
  config "a" {
    type    = string
    aliases = ["b", "env"]
  }
  setting "a" {
    type = string
  }
  setting "b" {
    type = string
  }
}
