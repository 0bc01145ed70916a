role = "train"
# settings
tolerations = [
  { key = "a", operater = "Equal" },
  { operator = "Equal" },
  { key = "b", more = { second = 3 } },
  { key = "c", more = { seconds = "x" } },
  "d",
]
