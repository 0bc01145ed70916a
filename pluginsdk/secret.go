package pluginsdk

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret value would stand.
const redacted = "(sensitive)"

// Secret is a value that never prints: every verb of fmt, JSON, slog and text
// marshalling give "(sensitive)". The zero Secret is empty.
type Secret struct{ value string }

// NewSecret makes a Secret of value.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the value. Call it where the value is handed to the backend,
// and nowhere else.
func (s Secret) Reveal() string { return s.value }

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.value == "" }

// String returns "(sensitive)".
func (Secret) String() string { return redacted }

// GoString returns "(sensitive)".
func (Secret) GoString() string { return redacted }

// Format prints "(sensitive)" for every verb. fmt reads unexported fields by
// reflection for verbs such as %d, so Stringer alone would not be enough.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON returns the string "(sensitive)".
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText returns "(sensitive)".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "(sensitive)".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

var (
	_ fmt.Formatter  = Secret{}
	_ fmt.GoStringer = Secret{}
	_ json.Marshaler = Secret{}
	_ slog.LogValuer = Secret{}
)
