package record

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
)

// ErrRecords says that the bytes of a batch are not exactly its number of records.
var ErrRecords = errors.New("malformed records")

// Record is one record of a batch; its slices alias the batch.
type Record struct {
	TimestampDelta int64
	OffsetDelta    int32
	Key            []byte // nil if null
	Value          []byte // nil if null
}

// Records walks uncompressed records. If the bytes are not exactly count records, it
// yields an error, once and last.
func Records(payload []byte, count int32) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var r Record
		for range count {
			rest, ok := r.read(payload)
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

// read decodes the record at the start of p, skips its headers, and returns the bytes
// after it.
func (r *Record) read(p []byte) (rest []byte, ok bool) {
	size, at := number(p, 0)
	if size < 0 || size > len(p)-at {
		return nil, false
	}
	rest = p[at+size:]
	p = p[at : at+size]
	var offset, headers int
	r.TimestampDelta, at = longNumber(p, 1) // after the attributes, which are unused
	offset, at = number(p, at)
	r.OffsetDelta = int32(offset)
	r.Key, at = field(p, at)
	r.Value, at = field(p, at)
	headers, at = number(p, at)
	if at <= len(p) && headers != 0 {
		at = behindHeaders(p, at, headers)
	}
	return rest, at == len(p)
}

// beyond is a position after all bytes: whatever is read there is missing, too.
const beyond = math.MaxInt

// number reads a 32-bit number at a position. It returns the number and the position
// after it, or beyond. Like Kafka and its clients, it reads at most five bytes: even
// a small number that uses more is malformed.
func number(p []byte, at int) (int, int) {
	if at < len(p)-1 { // nearly all numbers have one byte or two
		first, second := uint(p[at]), uint(p[at+1])
		if first < 0x80 {
			return int(first>>1) ^ -int(first&1), at + 1
		}
		if second < 0x80 {
			u := first&0x7f | second<<7
			return int(u>>1) ^ -int(u&1), at + 2
		}
	}
	u, at := unsigned(p, at, 7*binary.MaxVarintLen32)
	v := int64(u>>1) ^ -int64(u&1)
	if v != int64(int32(v)) {
		return 0, beyond
	}
	return int(v), at
}

// longNumber does the same for 64 bits.
func longNumber(p []byte, at int) (int64, int) {
	u, at := unsigned(p, at, 7*binary.MaxVarintLen64)
	return int64(u>>1) ^ -int64(u&1), at
}

// unsigned reads a varint of at most so many bits, seven per byte. The value must fit
// in 64 bits.
func unsigned(p []byte, at, bits int) (u uint64, behind int) {
	for shift := 0; shift < bits && at < len(p); shift += 7 {
		b := p[at]
		at++
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if shift == 63 && b > 1 {
				break
			}
			return u, at
		}
	}
	return 0, beyond
}

// field reads a key or a value; it returns nil for null.
func field(p []byte, at int) ([]byte, int) {
	n, at := number(p, at)
	switch {
	case n == -1:
		return nil, at
	case n < 0 || n > len(p)-at:
		return nil, beyond
	default:
		return p[at : at+n : at+n], at + n
	}
}

// behindHeaders returns the position after count headers. Their keys may not be null.
func behindHeaders(p []byte, at, count int) int {
	if count < 0 || count > len(p)-at {
		return beyond
	}
	for range count {
		n, key := number(p, at)
		if n < 0 || n > len(p)-key {
			return beyond
		}
		if _, at = field(p, key+n); at > len(p) {
			return beyond
		}
	}
	return at
}
