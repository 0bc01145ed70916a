# The digits example as an Amazon SageMaker training job: `stephost doctor gpu`,
# `stephost plan train`, `stephost launch train`.

variable "account" {
  type        = string
  default     = "123456789012"
  description = "AWS account of the image repository."
}

operator "gpu" {
  flavor = "sagemaker"

  config {
    role        = "train" # a name in the login's account, or an ARN
    region      = "eu-west-1"
    bucket_name = "my-ml-bucket"

    # Defaults of settings, for every step.
    tags = { team = "vision" }
  }

  environment {
    base_image = "python:3.11-slim"
    registry   = "${var.account}.dkr.ecr.eu-west-1.amazonaws.com/ml"
  }
}

step "train" {
  pipeline = "digits"
  operator = "gpu"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  # The smallest instance that has this: `stephost plan train` shows which.
  resources {
    cpu    = 2
    memory = "8GiB"
  }

  timeouts {
    provisioning = "20m"
    run          = "1h"
  }

  retry {
    capacity = 2
    system   = 2
  }
}

# Spot instances, with checkpoints that survive an interruption, and input data
# from S3.
step "spot" {
  pipeline = "digits"
  operator = "gpu"
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
    use_spot          = true
    max_wait          = "6h"
    checkpoint_s3_uri = "s3://my-ml-bucket/checkpoints/digits"
    input_data_s3_uri = "s3://my-ml-bucket/digits/"
  }

  timeouts {
    run = "2h"
  }
}
