package main

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	_ "embed"

	"github.com/stephost/stephost/pluginsdk"
)

// driverProgram starts what spark-submit cannot be given as it is.
//
//go:embed driver.py
var driverProgram []byte

// kind of an application.
type kind int

const (
	// script is a Python file that spark-submit takes as it is.
	script kind = iota + 1
	// jar is one with a main class.
	jar
	// command is anything else: driver.py becomes it.
	command
)

// application is the step's command in spark-submit's terms.
type application struct {
	kind kind
	// primary is the file, and python the interpreter that the command names, or "".
	primary, python string
	args            []string
}

// plainFile is a name of a file that Spark does not take for an address: it makes
// URIs of them, with fragments and escapes.
var plainFile = regexp.MustCompile(`^[A-Za-z0-9_./@+-]+$`)

var pythonName = regexp.MustCompile(`^python(3(\.[0-9]+)?)?$`)

// applicationOf sorts the command. encode: it must go through driver.py, whatever
// it is, if it is no jar.
func applicationOf(argv []string, encode bool) (application, error) {
	first := argv[0]
	if strings.HasSuffix(first, ".jar") {
		for i, arg := range argv {
			if i > 0 && !plainArgument(arg) && !encode {
				return application{}, pluginsdk.Config("command."+strconv.Itoa(i),
					"an argument of a jar cannot hold a carriage return or letters beyond ASCII: Spark's scripts and Java change them; hand it over in env")
			}
		}
		return application{kind: jar, primary: first, args: argv[1:]}, nil
	}
	app := application{kind: script}
	switch {
	case strings.HasSuffix(first, ".py"):
		app.primary, app.args = first, argv[1:]
	case pythonName.MatchString(filepath.Base(first)) && len(argv) > 1 && strings.HasSuffix(argv[1], ".py") && !strings.HasPrefix(argv[1], "-"):
		app.primary, app.args = argv[1], argv[2:]
		if filepath.IsAbs(first) {
			app.python = first
		}
	default:
		return application{kind: command, args: argv}, nil
	}
	if encode || !plainFile.MatchString(app.primary) || !allPlain(app.args) {
		if strings.HasSuffix(first, ".py") {
			argv = append([]string{"python3"}, argv...)
		}
		return application{kind: command, args: argv}, nil
	}
	return app, nil
}

func allPlain(args []string) bool {
	for _, arg := range args {
		if !plainArgument(arg) {
			return false
		}
	}
	return true
}

// plainArgument tells whether an argument passes bash and Java unchanged in every
// locale: spark-class takes carriage returns out (bin/spark-class, ARG=${_ARG//$'\r'}),
// and Java reads arguments in the locale's encoding.
func plainArgument(arg string) bool {
	for _, c := range []byte(arg) {
		if c == '\r' || c >= 0x80 {
			return false
		}
	}
	return true
}

// encoded is the one argument of driver.py.
type encoded struct {
	Argv []string `json:"argv"`
	Dir  string   `json:"dir,omitempty"`
	// Parent: end with the parent process.
	Parent *bool `json:"parent,omitempty"`
}

func (e encoded) String() string {
	data, _ := json.Marshal(e) // strings always can be marshalled
	return base64.StdEncoding.EncodeToString(data)
}
