environment = {
  base_image = "x"
}
