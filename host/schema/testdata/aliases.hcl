role                = "train"
mode                = "cluster"
cluster             = "c1"
compute_target_name = "c2"
