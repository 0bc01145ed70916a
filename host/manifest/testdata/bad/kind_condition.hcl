flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["directory", "image"]
  config "mode" {
    type    = string
    default = null
  }
  environment_kind "directory" {
    applies_when = config.mode
  }
  environment_kind "image" {
    applies_when = "maybe"
  }
}
