package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

func jsonText(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("write json: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func parseInt32(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err
}
