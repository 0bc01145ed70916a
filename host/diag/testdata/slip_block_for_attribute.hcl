env {
  LOG_LEVEL = "info"
}
