flavor "x" {
}
