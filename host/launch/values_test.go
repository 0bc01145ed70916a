package launch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestValues(t *testing.T) {
	for _, tc := range []struct {
		name   string
		chunks []string
		want   map[string]string
		notes  int
	}{
		{"one line", []string{"hello\n::stephost value accuracy=0.97\nbye\n"}, map[string]string{"accuracy": "0.97"}, 0},
		{"split anywhere", []string{"::step", "host value a", "=[1,", "2]", "\n"}, map[string]string{"a": "[1,2]"}, 0},
		{"carriage return", []string{"::stephost value a=1\r\n"}, map[string]string{"a": "1"}, 0},
		{"last one counts", []string{"::stephost value a=1\n::stephost value a=2\n"}, map[string]string{"a": "2"}, 0},
		{"incomplete line does not count", []string{"::stephost value a=1"}, map[string]string{}, 0},
		{"not at the start of a line", []string{"x ::stephost value a=1\n"}, map[string]string{}, 0},
		{"no JSON", []string{"::stephost value a=hello\n"}, map[string]string{}, 1},
		{"bad name", []string{"::stephost value a b=1\n"}, map[string]string{}, 1},
		{"empty lines", []string{"\n", "\n\n::stephost value a=1\n"}, map[string]string{"a": "1"}, 0},
		{"too much", []string{"::stephost value a=\"" + strings.Repeat("x", valuesLimit) + "\"\n"}, map[string]string{}, 1},
		{"too much, in pieces", []string{"::stephost value a=\"", strings.Repeat("x", valuesLimit-100), strings.Repeat("x", 500), strings.Repeat("x", 1<<20), "\"\n::stephost value b=1\n"}, map[string]string{"b": "1"}, 1},
		{"too much at once", []string{"::stephost value a=\"" + strings.Repeat("x", 2*valuesLimit), "\"\n::stephost value b=1\n"}, map[string]string{"b": "1"}, 1},
		{"too much without a name", []string{"::stephost value " + strings.Repeat("x", valuesLimit), strings.Repeat("x", valuesLimit) + "\n"}, map[string]string{}, 1},
		{"long ordinary line that begins alike", []string{"::stephost", strings.Repeat("x", 2*valuesLimit), "\n"}, map[string]string{}, 0},
		{"long ordinary line", []string{strings.Repeat("x", 1<<20), "\n::stephost value a=1\n"}, map[string]string{"a": "1"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := newValues()
			for _, c := range tc.chunks {
				v.add("1/0/0/main/stdout", []byte(c))
			}
			got := map[string]string{}
			for k, j := range v.found {
				got[k] = string(json.RawMessage(j))
			}
			assert.Equal(t, tc.want, got)
			assert.Len(t, v.notes, tc.notes)
			size := 0
			for k, j := range v.found {
				size += len(k) + len(j)
			}
			assert.Equal(t, size, v.size)
		})
	}
}

func TestValuesOfDifferentSourcesDoNotMix(t *testing.T) {
	v := newValues()
	v.add("a", []byte("::stephost value x="))
	v.add("b", []byte("::stephost value y=2\n"))
	v.add("a", []byte("1\n"))
	assert.Equal(t, map[string]json.RawMessage{"x": json.RawMessage("1"), "y": json.RawMessage("2")}, v.found)
}
