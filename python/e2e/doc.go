// Package e2e tests the Python package stephost_flavor against the real host: it
// registers flavors written in Python and launches real steps on them.
//
// The tests need python3 with venv, and a package index. The virtual environment
// is made once (package pyenv); nothing is skipped when it cannot be had.
package e2e
