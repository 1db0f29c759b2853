package tool

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// JSON encodes a value as one line, without escaping <, > and &.
func JSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("write json: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// OrNull returns the text, or the word null if there is none, as Java prints it.
func OrNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// ParseInt32 reads a decimal number.
func ParseInt32(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err
}
