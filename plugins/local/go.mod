module github.com/stephost/stephost/plugins/local

go 1.26.0

require (
	github.com/stephost/stephost v0.1.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
)
