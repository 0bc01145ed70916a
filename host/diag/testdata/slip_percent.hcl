command = ["date", "+%{x}"]
