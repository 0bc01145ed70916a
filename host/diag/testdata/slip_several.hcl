comand = ["x"]
operater = "gpu"
enviroment {
}
