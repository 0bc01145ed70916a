flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["directory", "image", "none"]
  config "mode" {
    type    = string
    default = null
  }
  environment_kind "directory" {
    applies_when = settings.mode == "x" && resources.gpu == 1
  }
  environment_kind "directory" {
    applies_when = true
  }
  environment_kind "imag" {
    applies_when = true
  }
  environment_kind "nothing" {
    applies_when = true
  }
  environment_kind "none" {
  }
  environment_kind "image" {
    applies_when = config.mod == "x"
    applies      = true
  }
  environment_kind {
    applies_when = true
  }
}
