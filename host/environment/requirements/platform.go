package requirements

import (
	"fmt"
	"strconv"
	"strings"
)

// machines maps the architecture of an OCI platform to what wheels call it.
var machines = map[string]string{
	"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
	"arm/v7": "armv7l", "arm": "armv7l",
}

// fit is a base in the words of wheels.
type fit struct {
	machine      string // "x86_64"
	musl         bool
	major, minor int    // of the libc
	python       string // "3.11"
	pyMinor      int
}

// fitOf checks that wheels can be chosen for the base.
func fitOf(b BaseFacts) (fit, error) {
	var f fit
	refuse := func(summary, next string) (fit, error) {
		e := invalid(summary, nil)
		e.Next = next
		return f, e
	}
	os, arch, _ := strings.Cut(b.Platform, "/")
	if f.machine = machines[arch]; f.machine == "" {
		arch, _, _ = strings.Cut(arch, "/")
		f.machine = machines[arch]
	}
	if os != "linux" || f.machine == "" {
		return refuse(fmt.Sprintf("no packages can be chosen for the platform %q", b.Platform), "set platform to linux/amd64 or linux/arm64")
	}
	if b.Python == "" || b.Interpreter == "" {
		return refuse("the base image has no Python that was found, and there are requirements for it",
			"choose a base image with Python, or say where it is and which version it has (python)")
	}
	parts := strings.Split(b.Python, ".")
	n, err := strconv.Atoi(parts[min(1, len(parts)-1)])
	if parts[0] != "3" || len(parts) < 2 || err != nil || n < 6 {
		return refuse(fmt.Sprintf("no packages can be chosen for Python %q", b.Python), `give python as a version like "3.11"`)
	}
	f.pyMinor, f.python = n, "3."+parts[1]
	kind, version, _ := strings.Cut(b.Libc, "-")
	major, minor, _ := strings.Cut(version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	f.major, _ = strconv.Atoi(major)
	f.minor, err = strconv.Atoi(minor)
	if f.musl = kind == "musl"; kind != "glibc" && kind != "musl" || err != nil {
		return refuse(fmt.Sprintf("the C library of the base image is not known (%q)", b.Libc), "choose a base image with glibc or musl")
	}
	return f, nil
}

// String is for errors.
func (f fit) String() string {
	libc := "glibc"
	if f.musl {
		libc = "musl"
	}
	return fmt.Sprintf("Python %s on %s with %s %d.%d", f.python, f.machine, libc, f.major, f.minor)
}

// uvPlatforms are the minor versions of glibc that uv has a platform for; one
// between two takes the lower one. (uv 0.13, uv pip install --help.)
var uvPlatforms = [...]int{17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40}

// uv is the value of --python-platform.
func (f fit) uv() (string, error) {
	switch {
	case f.machine != "x86_64" && f.machine != "aarch64":
		e := invalid("uv cannot choose packages for "+f.machine, nil)
		e.Next = "take uv off PATH, so that pip chooses them"
		return "", e
	case f.musl:
		return f.machine + "-unknown-linux-musl", nil
	}
	best := 17
	for _, m := range uvPlatforms {
		if m <= f.minor {
			best = m
		}
	}
	return fmt.Sprintf("%s-manylinux_2_%d", f.machine, best), nil
}

// pip are the arguments that tell pip about the base. pip takes a platform word
// by word, so every older one is named (PEP 600: a wheel for an older glibc
// runs on a newer one).
func (f fit) pip() []string {
	argv := []string{"--python-version", f.python, "--implementation", "cp", "--abi", "cp3" + strconv.Itoa(f.pyMinor), "--abi", "abi3", "--abi", "none"}
	family, oldest := "manylinux", 5
	if f.musl {
		family, oldest = "musllinux", 0
	}
	for m := f.minor; m >= oldest; m-- {
		argv = append(argv, "--platform", fmt.Sprintf("%s_%d_%d_%s", family, f.major, m, f.machine))
		if legacy := map[int]string{17: "2014", 12: "2010", 5: "1"}[m]; legacy != "" && !f.musl {
			argv = append(argv, "--platform", "manylinux"+legacy+"_"+f.machine)
		}
	}
	return append(argv, "--platform", "linux_"+f.machine)
}

// stubTag is the tag of a wheel that stands for a package of the base: pip
// prefers the tag that comes first.
func (f fit) stubTag() string {
	family := "manylinux"
	if f.musl {
		family = "musllinux"
	}
	return fmt.Sprintf("cp3%d-cp3%d-%s_%d_%d_%s", f.pyMinor, f.pyMinor, family, f.major, f.minor, f.machine)
}
