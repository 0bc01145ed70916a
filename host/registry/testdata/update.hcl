# Our GPUs. Ask Kim before you change the role.
operator "gpu" {
  flavor = "sagemaker@0.2.0" # pinned

  config {
    instance-type = "ml.p4d.24xlarge" // a10g
    volume_size   = 50
  }
  environment {
    base_image = "python:3.11-slim"
    platform   = "linux/amd64"
  }
  timeouts {
    run = "2h"
  }
  env = {
    A = "b"
  }
}
# the end
