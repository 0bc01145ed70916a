package main

import "bytes"

// earlier is the manifest of version 0.0.9. With "other-type" one of its settings
// is nothing that version 0.1.0 can take. The test makes the same of the file.
func earlier(manifest []byte, what string) []byte {
	change := func(from, to string) { manifest = bytes.Replace(manifest, []byte(from), []byte(to), 1) }
	change(`version      = "0.1.0"`, `version      = "0.0.9"`)
	change(`handles      = [1, 2]`, `handles      = [1]`)
	if what == "other-type" {
		change("type        = bool\n    default     = false", "type        = list(bool)\n    default     = null")
	}
	return manifest
}
