# Steps as Spark applications: `stephost doctor here`, `stephost plan words`,
# `stephost launch words`. With a cluster: `stephost launch words --operator cluster`.

variable "master" {
  type        = string
  default     = "spark://127.0.0.1:7077"
  description = "A standalone master."
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
