role     = "train"
password = "hunter2"
keys     = { a = "hunter3" }
