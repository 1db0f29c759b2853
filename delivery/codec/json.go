package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"
)

// errTrailingData is returned by JSON's Decode for bytes after the value.
var errTrailingData = errors.New("trailing data after the JSON value")

// JSONOption changes the JSON codec.
type JSONOption func(*jsonConfig)

type jsonConfig struct {
	strict   bool
	maxBytes int
}

// DisallowUnknownFields makes a field that T does not have a decode error.
func DisallowUnknownFields() JSONOption {
	return func(c *jsonConfig) { c.strict = true }
}

// MaxBytes sets the longest value that is decoded. The default is
// DefaultMaxBytes; n <= 0 stands for the default.
func MaxBytes(n int) JSONOption {
	return func(c *jsonConfig) {
		if n > 0 {
			c.maxBytes = n
		}
	}
}

// JSON is the codec of encoding/json. Data after the value is an error, and so is
// a value longer than MaxBytes.
func JSON[T any](opts ...JSONOption) Codec[T] {
	c := jsonConfig{maxBytes: DefaultMaxBytes}
	for _, o := range opts {
		o(&c)
	}
	return jsonCodec[T]{c}
}

type jsonCodec[T any] struct{ jsonConfig }

func (jsonCodec[T]) Encode(v T) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return data, nil
}

func (c jsonCodec[T]) Decode(data []byte, _ []kgo.RecordHeader) (T, error) {
	var v, zero T
	if len(data) > c.maxBytes {
		return zero, &SizeError{Size: len(data), Max: c.maxBytes}
	}
	if !c.strict {
		if err := json.Unmarshal(data, &v); err != nil { // refuses trailing data itself.
			return zero, fmt.Errorf("decode JSON: %w", err)
		}
		return v, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return zero, fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return zero, fmt.Errorf("decode JSON: %w", errTrailingData)
	}
	return v, nil
}
