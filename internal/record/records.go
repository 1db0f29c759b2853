package record

import (
	"encoding/binary"
	"errors"
	"iter"
)

// ErrRecords says that records do not fill their batch exactly as announced.
var ErrRecords = errors.New("malformed records")

// Record is one record of a batch; its slices alias the batch.
type Record struct {
	TimestampDelta int64
	OffsetDelta    int32
	Key            []byte // nil if null
	Value          []byte // nil if null
}

// Records walks records that are not compressed. It yields an error, once and
// last, when the bytes are not exactly count records.
func Records(payload []byte, count int32) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for range count {
			r, rest, ok := next(payload)
			if !ok {
				yield(Record{}, ErrRecords)
				return
			}
			if !yield(r, nil) {
				return
			}
			payload = rest
		}
		if len(payload) != 0 {
			yield(Record{}, ErrRecords)
		}
	}
}

// next decodes one record with its headers and returns what follows it.
func next(p []byte) (r Record, rest []byte, ok bool) {
	size, n := varint(p)
	if n <= 0 || size < 0 || int(size) > len(p)-n {
		return r, nil, false
	}
	rest = p[n+int(size):]
	c := cursor{p: p[n : n+int(size)]}
	c.skip(1) // attributes, unused
	r.TimestampDelta = c.varlong()
	r.OffsetDelta = c.varint()
	r.Key = c.bytes(true)
	r.Value = c.bytes(true)
	headers := c.varint()
	if headers < 0 || int(headers) > len(c.p) {
		c.bad = true
	}
	for i := int32(0); i < headers && !c.bad; i++ {
		c.bytes(false)
		c.bytes(true)
	}
	return r, rest, !c.bad && len(c.p) == 0
}

// varint is binary.Varint for a number of 32 bits, which Kafka and its clients take
// from five bytes at most: a small number spelt with more is none.
func varint(p []byte) (int32, int) {
	v, n := binary.Varint(p[:min(len(p), binary.MaxVarintLen32)])
	if v != int64(int32(v)) {
		return 0, -n
	}
	return int32(v), n
}

// cursor reads the fields of one record; bad sticks.
type cursor struct {
	p   []byte
	bad bool
}

func (c *cursor) skip(n int) {
	if len(c.p) < n {
		c.bad = true
		return
	}
	c.p = c.p[n:]
}

func (c *cursor) varint() int32 {
	v, n := varint(c.p)
	c.pass(n)
	return v
}

func (c *cursor) varlong() int64 {
	v, n := binary.Varint(c.p)
	c.pass(n)
	return v
}

// pass goes behind a number of n bytes, which was none if n is not positive.
func (c *cursor) pass(n int) {
	if n <= 0 {
		c.bad = true
		return
	}
	c.p = c.p[n:]
}

func (c *cursor) bytes(nullable bool) []byte {
	n := c.varint()
	if c.bad || n == -1 && nullable {
		return nil
	}
	if n < 0 || int(n) > len(c.p) {
		c.bad = true
		return nil
	}
	v := c.p[:n:n]
	c.p = c.p[n:]
	if v == nil {
		v = []byte{}
	}
	return v
}
