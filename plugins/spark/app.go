package main

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	_ "embed"

	"github.com/stephost/stephost/pluginsdk"
)

// driverProgram is what spark-submit starts in place of the command.
//
//go:embed driver.py
var driverProgram []byte

// lookAfterProgram lies beside it in cluster mode.
//
//go:embed lookafter.py
var lookAfterProgram []byte

// application is the step's command in spark-submit's terms: a jar, or anything
// else, which driver.py becomes.
type application struct {
	// jar is the file, or "".
	jar string
	// argv is the command, or the arguments of the jar.
	argv []string
}

var pythonName = regexp.MustCompile(`^python(3(\.[0-9]+)?)?$`)

// applicationOf sorts the command. python is the driver's interpreter: a script
// without one, and a Python without a path, mean it. asJSON: the arguments of a jar
// pass nothing that changes them.
func applicationOf(argv []string, python string, asJSON bool) (application, error) {
	switch first := argv[0]; {
	case strings.HasSuffix(first, ".jar"):
		for i, arg := range argv[1:] {
			if !plainArgument(arg) && !asJSON {
				return application{}, pluginsdk.Config("command."+strconv.Itoa(i+1),
					"an argument of a jar cannot hold a carriage return or letters beyond ASCII: Spark's scripts and Java change them; hand it over in env")
			}
		}
		return application{jar: first, argv: argv[1:]}, nil
	case strings.HasSuffix(first, ".py"):
		return application{argv: append([]string{python}, argv...)}, nil
	case pythonName.MatchString(first):
		return application{argv: append([]string{python}, argv[1:]...)}, nil
	}
	return application{argv: argv}, nil
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
	// Parent: end with the parent process, and leave nothing behind.
	Parent bool `json:"parent,omitempty"`
}

func (e encoded) String() string {
	data, _ := json.Marshal(e) // strings always can be marshalled
	return base64.StdEncoding.EncodeToString(data)
}
