// Package python tests what Python people get: the wheels, the package stephost, and
// its integrations with ZenML, Airflow, Argo and GitHub Actions.
//
// The wheels are built here from this checkout and installed into virtual
// environments; the tests in suite/ and beside the integrations are Python and run
// there. ZenML and Airflow are the real ones, on SQLite, without a network. Their
// packages come from a package index once for each content of pins/*.txt and are
// kept below the user's cache directory.
//
// The pins are made with:
//
//	uv pip compile --universal --python-version 3.11 - <<< 'zenml[local]==...'
//
// Nothing is skipped when something cannot be had.
package python
