package registry

import (
	"debug/buildinfo"
	"io"
	"strings"

	"github.com/stephost/stephost/host/problem"
)

// module is the one whose version a Go plugin carries in its build information.
const module = "github.com/stephost/stephost"

// MinSDK is the oldest pluginsdk whose plugins this host starts. It rises only
// when something older would break a promise.
const MinSDK = "0.1.0"

// sdkOf is the version of the SDK that a Go program was linked with; "" when it
// is no Go program, or was built from a checkout.
func sdkOf(r io.ReaderAt) (v string) {
	// Like the parsers of debug/*, not hardened against hostile input.
	defer func() {
		if recover() != nil {
			v = ""
		}
	}()
	info, err := buildinfo.Read(r)
	if err != nil {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == module && dep.Replace == nil {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	return ""
}

// checkSDK compares what the file or else the manifest says. Unknown passes:
// the handshake decides then.
func checkSDK(path, inFile, inManifest, oldest string) error {
	v, where := inFile, "its build information says"
	if v == "" {
		v, where = inManifest, "its manifest says"
	}
	if _, ok := parseVersion(v); !ok || compareVersions(v, oldest) >= 0 {
		return nil
	}
	return &problem.Error{
		Summary: path + " was built with stephost SDK " + v + "; this stephost needs " + oldest + " or newer",
		Detail:  "This is what " + where + ".",
		Next:    "update it: go get " + module + "@latest, then build it again",
	}
}
