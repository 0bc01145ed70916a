package launch

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
)

// keyLength is 130 bits: no two attempts in the world share a key, and the
// longest name that every backend accepts (63 characters) has room for it.
const keyLength = 26

// MaxToken is the longest run token in bytes.
const MaxToken = 256

// Key is the idempotency key of one attempt:
// base32lower(sha256("stephost/k1" | token | attempt))[:26]. The parts are
// separated by a zero byte, which no token holds.
func Key(token string, attempt int) string {
	sum := sha256.Sum256([]byte("stephost/k1\x00" + token + "\x00" + strconv.Itoa(attempt)))
	lower := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	return lower.EncodeToString(sum[:])[:keyLength]
}

// digest is the SHA-256 over parts, each with its length, in hex.
func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":"))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
