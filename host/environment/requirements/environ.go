package requirements

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// environ is an environment by name; later entries win.
type environ map[string]string

func newEnviron(list []string) environ {
	e := environ{}
	for _, kv := range list {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			e[k] = v
		}
	}
	return e
}

func (e environ) list() []string {
	list := make([]string, 0, len(e))
	for k, v := range e {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

// indexVariables decide where packages come from and which are taken: a change
// of one of them is another set.
var indexVariables = [...]string{
	"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PRE", "PIP_NO_BINARY",
	"PIP_ONLY_BINARY", "PIP_PREFER_BINARY", "PIP_CONSTRAINT", "PIP_NO_DEPS", "PIP_UPLOADED_PRIOR_TO",
	"UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX",
	"UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_NO_BINARY",
	"UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE", "UV_INDEX_STRATEGY", "UV_TORCH_BACKEND",
}

func (e environ) indexSettings() []string {
	var list []string
	for _, k := range indexVariables {
		if v := e[k]; v != "" {
			list = append(list, k+"="+redact(v))
		}
	}
	for _, k := range []string{"PIP_CONSTRAINT", "UV_CONSTRAINT", "UV_OVERRIDE"} {
		for _, file := range strings.Fields(e[k]) {
			if sum, err := fileHash(file); err == nil && !isURL(file) {
				list = append(list, k+" sha256:"+sum)
			}
		}
	}
	return list
}

// pathVariables hold paths, which may be relative to where stephost was called.
// The installer runs elsewhere.
var pathVariables = [...]string{
	"PIP_CONSTRAINT", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CACHE_DIR",
	"UV_CONSTRAINT", "UV_OVERRIDE", "UV_FIND_LINKS", "UV_CONFIG_FILE", "UV_CACHE_DIR",
	"NETRC", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
}

// absolutePaths makes the paths in variables absolute where they name something
// that is there.
func (e environ) absolutePaths() {
	for _, k := range pathVariables {
		fields := strings.Fields(e[k])
		for i, f := range fields {
			if abs, err := filepath.Abs(f); err == nil && !filepath.IsAbs(f) && exists(abs) {
				fields[i] = abs
			}
		}
		if joined := strings.Join(fields, " "); len(fields) > 0 && joined != strings.Join(strings.Fields(e[k]), " ") {
			e[k] = joined
		}
	}
}

// forTools is the environment of an installer. What would send packages to
// another place than the virtual environment, or ask a person, is taken out.
func (e environ) forTools(tmp string) environ {
	out := environ{}
	for k, v := range e {
		switch k {
		case "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__",
			"VIRTUAL_ENV", "CONDA_PREFIX", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON",
			"PIP_DRY_RUN", "PIP_REPORT", "PIP_LOG", "PIP_QUIET", "PIP_VERBOSE", "PIP_REQUIREMENT", "PIP_EDITABLE",
			"UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_PROJECT_ENVIRONMENT", "UV_QUIET",
			// These would change what a base image's packages are chosen for.
			"PIP_PLATFORM", "PIP_PYTHON_VERSION", "PIP_IMPLEMENTATION", "PIP_ABI", "PIP_COMPILE", "PIP_NO_COMPILE",
			"PIP_UPGRADE", "PIP_IGNORE_INSTALLED", "UV_COMPILE_BYTECODE":
			continue
		}
		out[k] = v
	}
	out.absolutePaths()
	out["PIP_NO_INPUT"] = "1"
	out["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
	out["UV_NO_PROGRESS"] = "1"
	out["NO_COLOR"] = "1"
	// The tool is in a group of its own: a question on the terminal would stop it
	// for ever, so git and ssh fail instead of asking.
	out.unset("GIT_TERMINAL_PROMPT", "0")
	out.unset("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
	if tmp != "" {
		// Beside the cache, not in /tmp: that is often small and in memory, and
		// what a killed installer leaves is removed with it.
		for _, k := range []string{"TMPDIR", "TMP", "TEMP"} {
			out[k] = tmp
		}
	}
	return out
}

// unset sets what has no value yet.
func (e environ) unset(name, value string) {
	if e[name] == "" {
		e[name] = value
	}
}

// forPip tells pip what a person told uv alone.
func (e environ) forPip() {
	for _, m := range []struct{ pip, uv string }{
		{"PIP_INDEX_URL", "UV_DEFAULT_INDEX"}, {"PIP_INDEX_URL", "UV_INDEX_URL"},
		{"PIP_EXTRA_INDEX_URL", "UV_INDEX"}, {"PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"},
		{"PIP_FIND_LINKS", "UV_FIND_LINKS"}, {"PIP_CONSTRAINT", "UV_CONSTRAINT"},
	} {
		if v := e[m.uv]; v != "" {
			e.unset(m.pip, withoutNames(v))
		}
	}
}

// withoutNames turns uv's list ("name=https://a https://b", or with commas)
// into pip's.
func withoutNames(list string) string {
	fields := strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' })
	for i, f := range fields {
		if name, url, ok := strings.Cut(f, "="); ok && !strings.ContainsAny(name, ":/") {
			fields[i] = url
		}
	}
	return strings.Join(fields, " ")
}

// pipAlone says why pip must install although uv is there: a person has told
// pip where packages come from, and uv nothing. It is empty otherwise.
func (e environ) pipAlone() string {
	for _, k := range indexVariables {
		if strings.HasPrefix(k, "UV_") && e[k] != "" {
			return ""
		}
	}
	for _, k := range []string{"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT"} {
		if e[k] != "" {
			return k + " is set"
		}
	}
	for _, file := range e.pipConfigs() {
		if data, err := os.ReadFile(file); err == nil && namesIndex(string(data)) {
			return file + " names an index"
		}
	}
	return ""
}

// pipConfigs are the places of pip.conf that pip documents.
func (e environ) pipConfigs() []string {
	if f := e["PIP_CONFIG_FILE"]; f != "" {
		if f == os.DevNull {
			return nil
		}
		return []string{f}
	}
	var files []string
	home := e["HOME"]
	switch runtime.GOOS {
	case "windows":
		files = append(files, filepath.Join(e["PROGRAMDATA"], "pip", "pip.ini"), filepath.Join(e["APPDATA"], "pip", "pip.ini"))
	case "darwin":
		files = append(files, "/Library/Application Support/pip/pip.conf",
			filepath.Join(home, "Library", "Application Support", "pip", "pip.conf"))
		fallthrough
	default:
		config := e["XDG_CONFIG_HOME"]
		if config == "" {
			config = filepath.Join(home, ".config")
		}
		files = append(files, "/etc/pip.conf", "/etc/xdg/pip/pip.conf",
			filepath.Join(config, "pip", "pip.conf"), filepath.Join(home, ".pip", "pip.conf"))
	}
	return files
}

// namesIndex looks for settings that decide where packages come from.
func namesIndex(config string) bool {
	for line := range strings.Lines(config) {
		key, _, ok := strings.Cut(strings.ReplaceAll(line, ":", "="), "=")
		if !ok {
			continue
		}
		switch strings.ReplaceAll(strings.TrimSpace(key), "_", "-") {
		case "index-url", "extra-index-url", "find-links", "no-index", "constraint":
			return true
		}
	}
	return false
}
