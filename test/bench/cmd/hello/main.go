// Command hello is the bare Go process that stephost's commands are compared
// with.
package main

import "os"

func main() { _, _ = os.Stdout.WriteString("hello\n") }
