operator = 'gpu'
