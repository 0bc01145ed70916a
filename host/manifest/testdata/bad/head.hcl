flavor "../evil" {
  version = "1"
  protocol = []
  summary = ""
  environment = ["images", "image", "image"]
}
