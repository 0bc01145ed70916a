# first
# of two
operator "one" {
  flavor  = "local" # here
  config {
    dir = "a"
  }
}
