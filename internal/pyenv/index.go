package pyenv

import (
	"os"
	"slices"
	"strings"
)

// IndexEnviron are the variables of this process that lead to a package index:
// what pip and uv are told, certificates and proxies. A test whose programs get an
// environment of their own adds them to it.
func IndexEnviron() []string { return leading(os.Environ()) }

func leading(environ []string) []string {
	var out []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "PIP_") || strings.HasPrefix(name, "UV_") || slices.Contains(indexNames(), strings.ToUpper(name)) {
			out = append(out, kv)
		}
	}
	return out
}

// indexNames count in small letters too, as proxies are often written.
func indexNames() []string {
	return []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
}
