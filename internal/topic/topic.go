// Package topic is the vocabulary of topics: names and which of them are legal, IDs and
// their text form, and the internal topics. It owns no state: package catalog knows which
// topics exist.
package topic

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// The internal topics. Coordinators write them; producers may not.
const (
	ConsumerOffsets  = "__consumer_offsets"
	TransactionState = "__transaction_state"
	ShareGroupState  = "__share_group_state"
)

// MaxNameLength is the longest legal topic name in bytes.
const MaxNameLength = 249

// ID identifies a topic for its whole life. A topic that is deleted and created again has
// a new ID.
type ID [16]byte

// NewID returns a random ID, shaped like a version 4 UUID, whose text form does
// not begin with '-' so that it can be a command-line argument.
func NewID() ID {
	for {
		var id ID
		_, _ = rand.Read(id[:]) // never fails
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if !strings.HasPrefix(id.String(), "-") {
			return id
		}
	}
}

// String returns the 22-character text form that Kafka's tools and files use.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reads the text form.
func ParseID(s string) (ID, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return ID{}, fmt.Errorf("topic ID %q: %w", s, err)
	}
	if len(raw) != len(ID{}) {
		return ID{}, fmt.Errorf("topic ID %q: %d bytes, not %d", s, len(raw), len(ID{}))
	}
	return ID(raw), nil
}

// IsInternal reports whether only the broker may write to the topic.
func IsInternal(name string) bool {
	return name == ConsumerOffsets || name == TransactionState || name == ShareGroupState
}

// Validate returns nil for a legal name, else Kafka's sentence about what is wrong with it.
func Validate(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("Topic name is invalid: the empty string is not allowed") //nolint:staticcheck // Kafka's text, shown to users as it is
	case name == "." || name == "..":
		return fmt.Errorf("Topic name is invalid: '%s' is not allowed", name) //nolint:staticcheck // Kafka's text
	case len(name) > MaxNameLength:
		return fmt.Errorf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name, MaxNameLength) //nolint:staticcheck // Kafka's text
	case strings.ContainsFunc(name, illegal):
		return fmt.Errorf("Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name) //nolint:staticcheck // Kafka's text
	}
	return nil
}

func illegal(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}

// Collision returns a name with each '.' replaced by '_', because metric names do not
// distinguish them. Two topic names collide if their results are equal.
func Collision(name string) string { return strings.ReplaceAll(name, ".", "_") }
