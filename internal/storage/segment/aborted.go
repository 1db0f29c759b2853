package segment

import "encoding/binary"

// AbortedEntrySize is the size of an entry of a transaction index. It reaches disk.
const AbortedEntrySize = 34

// Aborted is an entry of a transaction index: an aborted transaction whose marker,
// at LastOffset, is in the segment. In an index that is not damaged:
//
//	0 <= FirstOffset <= LastOffset; 0 <= LastStableOffset <= LastOffset + 1
type Aborted struct {
	Version          int16 // 0
	ProducerID       int64
	FirstOffset      int64
	LastOffset       int64
	LastStableOffset int64
}

// AbortedIndex is the bytes of a transaction index.
type AbortedIndex []byte

// Len is the number of whole entries.
func (x AbortedIndex) Len() int { return len(x) / AbortedEntrySize }

// At returns entry i, for 0 <= i < Len.
func (x AbortedIndex) At(i int) Aborted {
	p := x[i*AbortedEntrySize:]
	field := func(i int) int64 { return int64(binary.BigEndian.Uint64(p[2+8*i:])) }
	return Aborted{
		Version: int16(binary.BigEndian.Uint16(p)), ProducerID: field(0),
		FirstOffset: field(1), LastOffset: field(2), LastStableOffset: field(3),
	}
}
