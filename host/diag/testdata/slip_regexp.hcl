command = ["grep", "^a\d+$"]
