package lines

import (
	"bytes"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	var all []byte
	line := New()
	for n := range 10_000 {
		all = append(all, line.Numbered(n)...)
	}
	firsts := 0
	n, err := Check(iotest.HalfReader(bytes.NewReader(all)), func() { firsts++ })
	require.NoError(t, err)
	assert.Equal(t, 10_000, n)
	assert.Equal(t, 1, firsts)
	n, err = Check(iotest.OneByteReader(bytes.NewReader(all[:50*Length])), nil)
	require.NoError(t, err)
	assert.Equal(t, 50, n)

	for name, broken := range map[string][]byte{
		"one is missing":   append(bytes.Clone(all[:3*Length]), all[4*Length:]...),
		"one is short":     append(bytes.Clone(all[:3*Length]), all[3*Length+1:]...),
		"the last is torn": all[:len(all)-1],
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Check(bytes.NewReader(broken), nil)
			require.Error(t, err)
			assert.Less(t, n, 10_000)
		})
	}
}
