package label

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDigest: a digest comes back, and anything else stays as it is.
func TestDigest(t *testing.T) {
	digest := strings.Repeat("0f", 32)
	value := Digest(digest)
	assert.Regexp(t, regexp.MustCompile(`^[a-z2-7]{52}$`), value)
	assert.Equal(t, digest, FromDigest(value))
	for _, odd := range []string{"", "odd", "0f", strings.ToUpper(digest), digest + "0f"} {
		assert.Equal(t, odd, FromDigest(Digest(odd)), odd)
	}
}

// TestToken: the values of jobs that are out there.
func TestToken(t *testing.T) {
	assert.Equal(t, "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq", Token(""))
	assert.Regexp(t, regexp.MustCompile(`^[a-z2-7]{52}$`), Token("any\x00 token/ü"))
	assert.NotEqual(t, Token("a"), Token("b"))
}

func TestEncode(t *testing.T) {
	for _, text := range []string{"", "x", "RUN-1", "ü b\x00"} {
		got, err := Decode(Encode([]byte(text)))
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
	}
	_, err := Decode("no base 32")
	require.Error(t, err)
}
