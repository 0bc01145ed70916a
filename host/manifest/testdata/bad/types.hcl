flavor "x" {
  version     = "1.0.0"
  protocol    = [1]
  summary     = "For tests."
  environment = ["none"]
  config "a" {
    type = "string"
  }
  config "b" {
    type = strin
  }
  config "c" {
    default = 1
  }
  config "d" {
    type    = list(object({ x = number }))
    default = [{ x = 1, y = 2 }, {}]
  }
  config "e" {
    type   = string
    min    = 1
    one_of = []
    merge  = "keys"
  }
  config "f" {
    type   = number
    min    = 3
    max    = 2
    one_of = ["x"]
  }
  config "g" {
    type      = string
    sensitive = true
    default   = "hunter2"
  }
  config "h" {
    type    = string
    default = env("X")
  }
  config "i" {
    type        = string
    descripton  = "x"
    sensitive   = "very"
    default     = "d"
    one_of      = ["a", "b"]
  }
}
