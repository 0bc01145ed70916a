module github.com/stephost/stephost/plugins/spark

go 1.26.0

require github.com/stephost/stephost v0.1.0
