// Package codec turns Go values into record values and back. It owns the
// Codec interface and the codecs of the standard library: JSON, Raw and Text.
// It knows neither topics nor retries: a decode error is an ordinary error,
// and package delivery decides that such a record is never retried.
package codec

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// DefaultMaxBytes is the largest value the JSON codec decodes unless told
// otherwise: 1 MiB.
const DefaultMaxBytes = 1 << 20

// Codec converts between a value of type T and the bytes of a record value.
// Both methods must be safe for concurrent use. Decode is given the record's
// headers to look at and must keep neither them nor data.
type Codec[T any] interface {
	Encode(v T) ([]byte, error)
	Decode(data []byte, headers []kgo.RecordHeader) (T, error)
}

// Raw is the codec that does nothing: the value is the bytes.
func Raw() Codec[[]byte] { return raw{} }

type raw struct{}

func (raw) Encode(v []byte) ([]byte, error) { return v, nil }

func (raw) Decode(data []byte, _ []kgo.RecordHeader) ([]byte, error) { return data, nil }

// Text is the codec of plain UTF-8 text. It does not check that the bytes are
// valid UTF-8, as the writers of other languages do not either.
func Text() Codec[string] { return text{} }

type text struct{}

func (text) Encode(v string) ([]byte, error) { return []byte(v), nil }

func (text) Decode(data []byte, _ []kgo.RecordHeader) (string, error) { return string(data), nil }

// SizeError says that a value is longer than its codec accepts.
type SizeError struct {
	Size, Max int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("value of %d bytes is longer than the limit of %d", e.Size, e.Max)
}
