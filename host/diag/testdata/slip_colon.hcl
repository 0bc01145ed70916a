operator: "gpu"
