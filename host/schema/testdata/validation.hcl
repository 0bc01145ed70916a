role     = "Train 1"
password = env("P")
# settings
instance_type = "g5.xlarge"
old           = true
