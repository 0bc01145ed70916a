package requirements

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:p@h/simple":             "https://***@h/simple",
		"x https://token@h and http://h/y": "x https://***@h and http://h/y",
		"git+ssh://git@h/x.git":            "git+ssh://***@h/x.git",
		"https://u:p@ss@h/x":               "https://***@h/x",
		"https://h/a@b":                    "https://h/a@b",
		"no address, a@b.c":                "no address, a@b.c",
		"https://h/x#u:p@z":                "https://h/x#u:p@z",
		"two https://a:b@c https://d:e@f":  "two https://***@c https://***@f",
	} {
		assert.Equal(t, want, redact(in), in)
	}
}

func TestRedactor(t *testing.T) {
	env := newEnviron([]string{"UV_INDEX_CORP_PASSWORD=hunter2hunter2", "PIP_INDEX_URL=https://__token__:verysecret@h/simple", "HOME=/root"})
	r := newRedactor(env, "-i https://onlytoken@h/x", "-i https://u:open%3Asesame@h/x")
	assert.Equal(t, "a *** b *** c *** /root __token__", r.clean("a hunter2hunter2 b verysecret c onlytoken /root __token__"))
	assert.Equal(t, "*** and ***", r.clean("open:sesame and open%3Asesame"))
}
