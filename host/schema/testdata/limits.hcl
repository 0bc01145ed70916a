role = "train"
# settings
volume_size = 20000
zones       = ["a", "c"]
