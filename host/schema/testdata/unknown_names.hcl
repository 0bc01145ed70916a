rol        = "train"
role       = "train"
base_image = "python"
volum_size = 3
# settings
role          = "train"
instance-typ  = "x"
gpu           = 1
entirely_else = 1
