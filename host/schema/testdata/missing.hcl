mode = "serverless"
