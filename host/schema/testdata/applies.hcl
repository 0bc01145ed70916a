role    = "train"
mode    = "serverless"
cluster = "c1"
