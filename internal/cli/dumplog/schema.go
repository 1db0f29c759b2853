package dumplog

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/botehq/bote/internal/cli/tool"
)

// The records of the internal topics are messages in Kafka's schema language, and kmsg does not have types for all of them.
// This small reader of the same language prints a message as JSON: the fields in the order of the schema, tagged fields only
// if they are set.

// fieldKind is the type of a field.
type fieldKind uint8

const (
	kindInt8 fieldKind = iota
	kindInt16
	kindUint16
	kindInt32
	kindInt64
	kindBool
	kindUUID
	kindString
	kindBytes
	kindInt32s
	kindStrings
	kindStructs
	kindStruct      // nullable
	kindPlainStruct // not nullable
)

// msgField is a field of a message. since is the first version that has the field, until the last one; until 0 means that all
// later versions have it. tag is the number of a tagged field.
type msgField struct {
	name   string
	kind   fieldKind
	since  int16
	until  int16
	tagged bool
	tag    uint32
	fields []msgField
}

// message is a schema. From version flexible on, lengths are compact and structures end with tags.
type message struct {
	flexible int16
	fields   []msgField
}

var errMessage = errors.New("malformed message")

// json reads a message of the version and formats it as JSON.
func (m message) json(data []byte, version int16) (string, error) {
	r := messageReader{Reader: kbin.Reader{Src: data}, version: version, flexible: version >= m.flexible && m.flexible >= 0}
	text := r.structure(m.fields)
	if !r.Ok() {
		return "", errMessage
	}
	return text, nil
}

type messageReader struct {
	kbin.Reader
	version  int16
	flexible bool
}

// structure formats one structure as an object. Its fields, also tagged ones, are in the order of the schema.
func (r *messageReader) structure(fields []msgField) string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		if f.tagged || r.version < f.since || f.until != 0 && r.version > f.until {
			continue
		}
		texts[i] = strconv.Quote(f.name) + ":" + r.value(f)
		if !r.Ok() {
			return ""
		}
	}
	if r.flexible {
		r.tags(fields, texts)
	}
	texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" })
	return "{" + strings.Join(texts, ",") + "}"
}

// tags formats the tagged fields that the schema knows.
func (r *messageReader) tags(fields []msgField, texts []string) {
	for range r.Uvarint() {
		tag, size := r.Uvarint(), r.Uvarint()
		body := r.Span(int(size))
		if !r.Ok() {
			return
		}
		i := slices.IndexFunc(fields, func(f msgField) bool { return f.tagged && f.tag == tag && r.version >= f.since })
		if i < 0 {
			continue
		}
		inner := messageReader{Reader: kbin.Reader{Src: body}, version: r.version, flexible: r.flexible}
		texts[i] = strconv.Quote(fields[i].name) + ":" + inner.value(fields[i])
	}
}

func (r *messageReader) value(f msgField) string {
	switch f.kind {
	case kindInt8:
		return strconv.Itoa(int(r.Int8()))
	case kindInt16:
		return strconv.Itoa(int(r.Int16()))
	case kindUint16:
		return strconv.Itoa(int(r.Uint16()))
	case kindInt32:
		return strconv.Itoa(int(r.Int32()))
	case kindInt64:
		return strconv.FormatInt(r.Int64(), 10)
	case kindBool:
		return strconv.FormatBool(r.Bool())
	case kindUUID:
		id := r.Uuid()
		return strconv.Quote(base64.RawURLEncoding.EncodeToString(id[:]))
	case kindString:
		return r.text()
	case kindBytes:
		return r.binary()
	case kindInt32s:
		return r.list(4, func() string { return strconv.Itoa(int(r.Int32())) })
	case kindStrings:
		return r.list(1, r.text)
	case kindStructs:
		return r.list(1, func() string { return r.structure(f.fields) })
	case kindStruct:
		if r.Int8() <= 0 { // -1 means null, in a tagged field 0
			return "null"
		}
		return r.structure(f.fields)
	case kindPlainStruct:
		return r.structure(f.fields)
	}
	return "null"
}

func (r *messageReader) text() string {
	var s *string
	if r.flexible {
		s = r.CompactNullableString()
	} else {
		s = r.NullableString()
	}
	if s == nil {
		return "null"
	}
	text, err := tool.JSON(*s)
	if err != nil {
		return "null"
	}
	return text
}

func (r *messageReader) binary() string {
	var p []byte
	if r.flexible {
		p = r.CompactNullableBytes()
	} else {
		p = r.NullableBytes()
	}
	if p == nil {
		return "null"
	}
	return strconv.Quote(base64.StdEncoding.EncodeToString(p))
}

// list formats an array. Every element has at least least bytes; a length that the remaining bytes cannot hold is an error.
func (r *messageReader) list(least int, element func() string) string {
	var n int32
	if r.flexible {
		n = r.CompactArrayLen()
	} else {
		n = r.Int32()
	}
	if n < 0 {
		return "null"
	}
	if int(n) > len(r.Src)/least {
		r.Src = nil
		r.Int8() // marks the reader as failed
		return ""
	}
	parts := make([]string, n)
	for i := range parts {
		parts[i] = element()
		if !r.Ok() {
			return ""
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}
