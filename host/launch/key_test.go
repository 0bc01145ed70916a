package launch

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKey(t *testing.T) {
	assert.Len(t, Key("token", 1), keyLength)
	assert.Regexp(t, "^[a-z2-7]{26}$", Key("any string: ü/…", 7))
	assert.NotEqual(t, Key("token", 1), Key("token", 2))
	assert.NotEqual(t, Key("token1", 1), Key("token", 11), "parts do not run into each other")
	assert.Equal(t, "akwrgr43vq4cqzs43t6foqyxau", Key("token", 1), "a key is for ever: this one was made by version 0.1.0")
}

func TestDigestKeepsPartsApart(t *testing.T) {
	assert.NotEqual(t, digest([]byte("ab"), []byte("c")), digest([]byte("a"), []byte("bc")))
	assert.Len(t, digest(), 64)
}
