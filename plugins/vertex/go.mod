module github.com/stephost/stephost/plugins/vertex

go 1.26.0

require github.com/stephost/stephost v0.1.0
