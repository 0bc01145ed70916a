# The digits step on Vertex AI. `stephost validate` and `stephost plan train` work
# in this directory as it is; for a launch put your own project, bucket and
# registry here.

variable "project" {
  type    = string
  default = "my-project"
}

variable "region" {
  type    = string
  default = "europe-west1"
}

operator "vertex" {
  flavor = "vertex"

  config {
    project     = var.project
    region      = var.region
    bucket_name = "my-project-ml"

    # Defaults of settings, which a step may override.
    machine_type = "n1-standard-4"
  }

  environment {
    base_image = "python:3.11-slim"
    registry   = "europe-west1-docker.pkg.dev/my-project/steps"
  }
}

step "train" {
  pipeline = "digits"
  operator = "vertex"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  timeouts {
    provisioning = "30m"
    run          = "15m"
  }

  retry {
    capacity  = 2
    preempted = 3
  }
}

# The same on a machine with a GPU that may be taken away at any time: a third of
# the price, and three attempts.
step "train-on-spot" {
  pipeline = "digits"
  operator = "vertex"
  command  = ["python", "train.py", "--epochs", "200"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  resources {
    gpu      = 1
    gpu_type = "t4"
  }

  settings {
    machine_type        = "n1-standard-8"
    scheduling_strategy = "SPOT"
  }

  retry {
    preempted = 3
  }
}
