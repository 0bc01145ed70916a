role     = "train"
password = secret("file:p")
# settings
user          = "me"
instance_type = "ml.m5"
# resources
gpu      = 1
gpu_type = "t4"
nodes    = 1
memory   = null
