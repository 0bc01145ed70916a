//go:build !unix

package pluginsdk

import "os"

// signalOf returns "": processes do not end by signals here.
func signalOf(*os.ProcessState) string { return "" }
