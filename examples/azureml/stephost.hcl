# The digits example as a command job of Azure Machine Learning:
# `stephost doctor aml`, `stephost plan train`, `stephost launch train`.

variable "registry" {
  type        = string
  default     = "myteam.azurecr.io/ml"
  description = "Azure Container Registry that the workspace may pull from."
}

operator "aml" {
  flavor = "azureml"

  config {
    subscription_id = "01234567-89ab-cdef-0123-456789abcdef"
    resource_group  = "ml"
    workspace_name  = "research"
  }
}

# Serverless: the smallest VM that gives the resources, at the price of spot.
step "train" {
  pipeline = "digits"
  operator = "aml"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    base_image        = "python:3.11-slim"
    registry          = var.registry
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  settings {
    tier            = "spot"
    experiment_name = "digits"
  }

  resources {
    cpu    = 2
    memory = "4GiB"
  }

  timeouts {
    run = "1h"
  }

  retry {
    preempted = 3
    capacity  = 2
  }
}

# On a cluster that is there, in an environment of the workspace: the source
# travels as a code asset, and no image is built.
step "curated" {
  operator = "aml"
  command  = ["python", "train.py"]

  environment {
    source {
      path = "../digits"
    }
  }

  settings {
    compute_name     = "cpu-cluster"
    environment_name = "azureml://registries/azureml/environments/sklearn-1.5/versions/1"
  }
}
