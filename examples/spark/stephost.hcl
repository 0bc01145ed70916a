# Steps as Spark applications: `stephost doctor here`, `stephost plan words`,
# `stephost launch words`. With a cluster: `stephost launch words --operator cluster`,
# on Kubernetes: `stephost launch words_on_kubernetes`.

variable "master" {
  type        = string
  default     = "spark://127.0.0.1:7077"
  description = "A standalone master."
}

variable "registry" {
  type        = string
  default     = "registry.example.com/ml"
  description = "Where images go that the nodes of the cluster pull."
}

variable "base" {
  type        = string
  default     = "registry.example.com/base/java-python:17"
  description = "An image with Java 17 or later, Python and bash."
}

# Spark's own processes on this machine: a thread for each core.
operator "here" {
  flavor = "spark"

  config {
    master = "local[*]"
  }
}

operator "cluster" {
  flavor = "spark"

  config {
    master     = var.master
    shared_dir = "/tmp/stephost-shared" # for deploy_mode = "cluster": all workers see it
  }
}

# The cluster of the kubeconfig. The driver is a Job, its executors are pods; both run
# the image that stephost builds on the base, with pyspark among the requirements.
operator "kubernetes" {
  flavor = "spark"

  config {
    master          = "k8s://"
    namespace       = "spark"
    service_account = "spark"
  }

  environment {
    base_image = var.base
    registry   = var.registry
  }
}

# Word counts and a join over a million rows of Parquet, compared with the same
# computed without Spark.
step "words" {
  pipeline = "words"
  operator = "here"
  command  = ["python", "words.py", "--rows", "1200000"]

  environment {
    requirements = ["pyarrow==26.0.1"]
    source {
      path = "."
    }
  }

  settings {
    submit_kwargs = { "spark.sql.shuffle.partitions" = "4" }
  }

  timeouts {
    run = "30m"
  }
}

# The same on Kubernetes. The data lies in a volume that driver and executors see: here
# a claim that many pods can write to.
step "words_on_kubernetes" {
  pipeline = "words"
  operator = "kubernetes"
  command  = ["python", "words.py", "--rows", "1200000", "--data", "/data/words"]

  environment {
    requirements = ["pyspark==4.1.4", "pyarrow==26.0.1"]
    source {
      path = "."
    }
  }

  resources {
    cpu    = 1
    memory = "1GiB"
    nodes  = 2
  }

  settings {
    driver_memory = "1g"
    submit_kwargs = { "spark.sql.shuffle.partitions" = "4" }
    volumes       = [{ name = "data", persistent_volume_claim = { claim_name = "words" } }]
    volume_mounts = [{ name = "data", mount_path = "/data" }]
  }

  timeouts {
    run = "30m"
  }
}

# The digits example, unchanged: its process is the driver of an application.
step "digits" {
  pipeline = "digits"
  operator = "here"
  command  = ["python", "train.py", "--epochs", "20"]

  environment {
    requirements_file = "../digits/requirements.txt"
    source {
      path = "../digits"
    }
  }

  timeouts {
    run = "30m"
  }
}
