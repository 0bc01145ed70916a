command = ["bash", "-c", "echo ${HOME}"]
