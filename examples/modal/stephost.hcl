# The digits step as a Modal sandbox. `stephost validate` and `stephost plan train`
# work in this directory as it is; for a launch put your own registry here.

# Its runs are in the app stephost-digits; without this in stephost-modal, which is
# what the directory is called.
project {
  name = "digits"
}

operator "modal" {
  flavor = "modal"

  # The token is that of ~/.modal.toml, which `modal token new` makes.
  config {
    output_volume = "digits"

    # Modal pulls the image with the login of this machine's `docker login`.
    registry_login = true
  }

  environment {
    base_image = "python:3.11-slim"
    registry   = "ghcr.io/my-name/steps"
  }
}

step "train" {
  pipeline = "digits"
  operator = "modal"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  resources {
    cpu    = 2
    memory = "2GiB"
  }

  timeouts {
    provisioning = "10m"
    run          = "15m"
  }

  retry {
    preempted = 3
    system    = 1
  }
}

# The same on a GPU, near the data, with a volume for what it downloads and the
# variables of a Modal secret that a person has made.
step "train-on-gpu" {
  pipeline = "digits"
  operator = "modal"
  command  = ["python", "train.py", "--epochs", "200"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  resources {
    gpu      = 1
    gpu_type = "l4"
  }

  settings {
    region        = "us-east"
    modal_secrets = ["huggingface"]
    volumes = {
      "/cache" = { name = "digits-cache", create = true }
    }
  }

  retry {
    capacity  = 2
    preempted = 3
  }
}
