# operator
volume_size = 0
cluster     = "c1"
