role = secret("env:ROLE")
# settings
pod_labels = { a = "x-${secret("env:TOKEN")}" }
