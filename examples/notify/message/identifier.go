package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Identifier is the ID of an order or a user. It is written as a number if a Java
// Long can hold it, and read as a number or as text.
type Identifier string

// Number reports whether the identifier is written as a number.
func (i Identifier) Number() bool {
	n, err := strconv.ParseInt(string(i), 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == string(i)
}

// MarshalJSON implements json.Marshaler.
func (i Identifier) MarshalJSON() ([]byte, error) {
	if i.Number() {
		return []byte(i), nil
	}
	return json.Marshal(string(i))
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *Identifier) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*i = ""
		return nil
	}
	if n := Identifier(data); n.Number() {
		*i = n
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("an ID is a whole number or text, not %s", data)
	}
	*i = Identifier(s)
	return nil
}
