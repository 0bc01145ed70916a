# The digits example as a Kubernetes Job: `stephost doctor k8s`, `stephost plan train`,
# `stephost launch train`.

variable "registry" {
  type        = string
  default     = "localhost:5001/ml"
  description = "Where images are pushed to and pulled from."
}

operator "k8s" {
  flavor = "kubernetes"

  config {
    namespace = "ml"

    # What your nodes' labels say about their GPUs: kubectl get nodes --show-labels
    gpu_type_labels = {
      t4          = { "nvidia.com/gpu.product" = "Tesla-T4" }
      "a100-80gb" = { "nvidia.com/gpu.product" = "NVIDIA-A100-SXM4-80GB" }
    }

    # Defaults of settings, for every step.
    tolerations = [{ key = "nvidia.com/gpu", operator = "Exists" }]
  }

  environment {
    base_image = "python:3.11-slim"
    registry   = var.registry
  }
}

step "train" {
  pipeline = "digits"
  operator = "k8s"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  resources {
    cpu    = 2
    memory = "4GiB"
  }

  timeouts {
    provisioning = "10m"
    run          = "1h"
  }

  retry {
    preempted = 3
    capacity  = 2
  }
}

# Four nodes with two GPUs each. torchrun finds rank 0 and its own rank in the
# environment (PET_*), which stephost sets.
step "distributed" {
  pipeline = "digits"
  operator = "k8s"
  command  = ["torchrun", "--nproc-per-node=2", "train_distributed.py"]

  environment {
    image = "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime"
  }

  resources {
    nodes         = 4
    gpu           = 2
    gpu_type      = "a100-80gb"
    memory        = "64GiB"
    shared_memory = "16GiB"
  }

  settings {
    # For all that has no setting of its own, with Kubernetes' names.
    pod_spec_patch = {
      containers = [{ name = "step", workingDir = "/data" }]
    }
    volumes       = [{ name = "data", persistent_volume_claim = { claim_name = "datasets", read_only = true } }]
    volume_mounts = [{ name = "data", mount_path = "/data", read_only = true }]
  }
}
