# One training step. `stephost validate`, `stephost plan train` and
# `stephost launch train` work in this directory.

operator "here" {
  flavor = "local"
}

step "train" {
  pipeline = "digits"
  operator = "here"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    requirements_file = "requirements.txt"
    source {
      path = "."
    }
  }

  timeouts {
    run = "15m"
  }
}
