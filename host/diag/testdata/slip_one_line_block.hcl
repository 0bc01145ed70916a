environment { base_image = "x", registry = "y" }
