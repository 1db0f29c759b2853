package record

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
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

// read decodes the record that p begins with, passes over its headers, and returns
// what follows it.
func (r *Record) read(p []byte) (rest []byte, ok bool) {
	size, at := number(p, 0)
	if size < 0 || size > len(p)-at {
		return nil, false
	}
	rest = p[at+size:]
	p = p[at : at+size]
	var offset, headers int
	r.TimestampDelta, at = longNumber(p, 1) // behind the attributes, which are unused
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

// beyond is a position behind all bytes. What is read there is not there either.
const beyond = math.MaxInt

// number reads a number of 32 bits at a position and returns it with the position
// behind it, or beyond. Kafka and its clients take such a number from five bytes at
// most: a small number spelt with more is none.
func number(p []byte, at int) (int, int) {
	if at < len(p)-1 { // nearly all have one byte or two
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

// longNumber is number for 64 bits.
func longNumber(p []byte, at int) (int64, int) {
	u, at := unsigned(p, at, 7*binary.MaxVarintLen64)
	return int64(u>>1) ^ -int64(u&1), at
}

// unsigned reads a number of at most so many bits, of which 64 count.
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

// field reads a key or a value, which is nil if it is null.
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

// behindHeaders returns the position behind so many headers. Their keys may not be
// null.
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
