package shim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Pack makes of a set of variables the ones that carry it: parts of at most
// most bytes each, of letters, digits, "+", "/" and "=" alone, which no backend
// rewrites. The same set gives the same parts.
func Pack(vars map[string]string, most int) (map[string]string, error) {
	if len(vars) == 0 {
		return nil, nil
	}
	if most < 1 {
		return nil, fmt.Errorf("parts of %d bytes cannot hold anything", most)
	}
	text, err := json.Marshal(vars) // sorted by name
	if err != nil {
		return nil, err
	}
	data, out, n := base64.StdEncoding.EncodeToString(text), map[string]string{}, 0
	for ; len(data) > 0; n++ {
		part := data[:min(most, len(data))]
		data = data[len(part):]
		out[PackedPart+strconv.Itoa(n)] = part
	}
	out[Packed] = strconv.Itoa(n)
	return out, nil
}

// Unpack is the set that get's variables carry; nil when there is none.
func Unpack(get func(string) string) (map[string]string, error) {
	count := get(Packed)
	if count == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%s is %q, which is no number of parts", Packed, count)
	}
	var data strings.Builder
	for i := range n {
		part := get(PackedPart + strconv.Itoa(i))
		if part == "" {
			return nil, fmt.Errorf("%s%d is missing: the backend gave %d of %d parts of the environment", PackedPart, i, i, n)
		}
		data.WriteString(part)
	}
	text, err := base64.StdEncoding.DecodeString(data.String())
	if err == nil {
		var vars map[string]string
		if err = json.Unmarshal(text, &vars); err == nil {
			return vars, nil
		}
	}
	// The values may be secrets: no part of them is in the message.
	return nil, fmt.Errorf("the packed environment in %s* is damaged", PackedPart)
}

// IsControl says that a variable is for the init process, not for the step.
func IsControl(name string) bool { return strings.HasPrefix(name, prefix) }
