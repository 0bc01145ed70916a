package requirements

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// installer is the tool that fills a virtual environment.
type installer struct {
	name string // "uv" or "pip"
	path string // of uv
	why  string // why not uv although it is there
}

func chooseInstaller(env environ) installer {
	uv := env.onPath("uv")
	if len(uv) == 0 {
		return installer{name: "pip"}
	}
	if why := env.pipAlone(); why != "" {
		return installer{name: "pip", why: why}
	}
	return installer{name: "uv", path: uv[0]}
}

// create is the command that makes the empty virtual environment. Without
// requirements it stays without pip, which takes ninety-five parts of the time.
func (i installer) create(py *Interpreter, dir string, bare bool) []string {
	if i.name == "uv" {
		return []string{i.path, "venv", "--no-project", "--allow-existing", "--python", py.Path, dir}
	}
	argv := []string{py.Path, "-I", "-m", "venv"}
	if bare {
		argv = append(argv, "--without-pip")
	}
	return append(argv, dir)
}

// install is the command that installs the files.
func (i installer) install(venv, requirements, constraints, log string) []string {
	var argv []string
	if i.name == "uv" {
		argv = []string{i.path, "pip", "install", "--python", pythonIn(venv), "-r", requirements}
	} else {
		argv = []string{pythonIn(venv), "-m", "pip", "install", "--no-user", "--progress-bar", "off",
			"--no-warn-script-location", "--log", log, "-r", requirements}
	}
	if constraints != "" {
		argv = append(argv, "-c", constraints)
	}
	return argv
}

// BinDir is where the executables of a virtual environment lie.
func BinDir(venv string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(venv, "Scripts")
	}
	return filepath.Join(venv, "bin")
}

func pythonIn(venv string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(BinDir(venv), "python.exe")
	}
	return filepath.Join(BinDir(venv), "python")
}

// stages turns an installer's output into progress lines. An installer says the
// same thing many times; a stage is said once.
type stages struct {
	say  func(string)
	last string
}

func (s *stages) line(text string) {
	text = strings.TrimSpace(text)
	stage := ""
	switch {
	case strings.HasPrefix(text, "Collecting "):
		stage = "resolving " + firstWord(text[len("Collecting "):])
	case strings.HasPrefix(text, "Downloading "):
		stage = "downloading " + filepath.Base(firstWord(text[len("Downloading "):]))
	case strings.HasPrefix(text, "Building wheel for "):
		stage = "building " + firstWord(text[len("Building wheel for "):])
	case strings.HasPrefix(text, "Building "):
		stage = "building " + firstWord(text[len("Building "):])
	case strings.HasPrefix(text, "Installing collected packages: "):
		stage = installing(strings.Count(text, ",") + 1)
	case strings.HasPrefix(text, "Prepared "), strings.HasPrefix(text, "Resolved "):
		var n int
		if _, err := fmt.Sscanf(text, "Prepared %d", &n); err == nil {
			stage = installing(n)
		} else if _, err := fmt.Sscanf(text, "Resolved %d", &n); err == nil {
			stage = "preparing " + count(n)
		}
	}
	if stage != "" && stage != s.last {
		s.last = stage
		s.say(stage)
	}
}

func installing(n int) string { return "installing " + count(n) }

func count(n int) string {
	if n == 1 {
		return "1 package"
	}
	return fmt.Sprintf("%d packages", n)
}

func firstWord(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return f[0]
	}
	return s
}
