role = ["a"]
mode = "clusters"
# settings
volume_size = "many"
zones       = "a"
pod_labels  = { a = ["x"] }
old         = "maybe"
