flavor "a" {
}
flavor "b" {
}
