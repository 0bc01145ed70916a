operator = gpu
