operator = 2h
