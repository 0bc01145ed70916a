# Written by stephost. Edit it as you like: comments and order are kept.
operator "gpu" {
  flavor = "sagemaker@0.1.0"
  config {
    role = "train $${x}"
    tags = {
      a = "b"
    }
    big   = 9007199254740993
    token = env("TOKEN")
  }
  environment {
    base_image = "python:3.11-slim"
  }
}
