package pluginsdk

import (
	"strconv"
	"strings"
)

// CheckTexts refuses what no process can be given: a NUL byte, and a variable
// without a name or with "=" in it. What a backend cannot carry beyond that is
// its flavor's to refuse.
func CheckTexts(s *Step) error {
	for i, arg := range s.Argv {
		if strings.ContainsRune(arg, 0) {
			return Config("command."+strconv.Itoa(i), "an argument cannot hold a NUL byte")
		}
	}
	for name, value := range s.Env {
		if err := checkVariable("env", name, value); err != nil {
			return err
		}
	}
	for name, value := range s.Secrets {
		if err := checkVariable("secrets", name, value.Reveal()); err != nil {
			return err
		}
	}
	return nil
}

func checkVariable(part, name, value string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
		return Config(part+"."+name, "%.80q is no environment variable that a process can be given", name)
	}
	return nil
}
