package label

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
)

// lower is base 32 in small letters, without padding.
func lower() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// Encode writes bytes; eight characters hold five of them.
func Encode(b []byte) string { return lower().EncodeToString(b) }

// Decode reads what Encode wrote.
func Decode(value string) ([]byte, error) { return lower().DecodeString(value) }

// Token is the value for a run token.
func Token(token string) string {
	sum := sha256.Sum256([]byte(token))
	return Encode(sum[:])
}

// Digest carries a request digest. A text that is no digest in hex goes as it
// is.
func Digest(digest string) string {
	if b, err := hex.DecodeString(digest); err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == digest {
		return Encode(b)
	}
	return digest
}

// FromDigest brings back what Digest carries.
func FromDigest(value string) string {
	if b, err := Decode(value); err == nil && len(b) == sha256.Size {
		return hex.EncodeToString(b)
	}
	return value
}
