command = "[31m" + foo
