package wire

import (
	"math/bits"
	"sync"
)

// Buffers are pooled by size, in powers of two from minBuffer to maxBuffer.
// Larger ones are regions, or left to the garbage collector.
const (
	minBuffer = 1 << 10
	maxBuffer = 4 << 20
)

var pools [13]sync.Pool // 1 KiB, 2 KiB, ... 4 MiB

func poolFor(size int) int {
	if size <= minBuffer {
		return 0
	}
	return bits.Len(uint((size - 1) / minBuffer))
}

// getBuffer returns a buffer with at least the given capacity, and any length.
func getBuffer(size int) *[]byte {
	i := poolFor(size)
	if i >= len(pools) {
		b := make([]byte, size)
		return &b
	}
	if b, ok := pools[i].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, minBuffer<<i)
	return &b
}

// discardBuffer gives up a buffer that somebody may still use; nil is ignored.
func discardBuffer(b *[]byte) {
	if b != nil && cap(*b) > maxBuffer {
		regions.discard(b)
	}
}

// putBuffer gives a buffer back; nil is ignored.
func putBuffer(b *[]byte) {
	if b == nil || cap(*b) < minBuffer {
		return
	}
	if cap(*b) > maxBuffer {
		regions.put(b)
		return
	}
	*b = (*b)[:cap(*b)]
	pools[bits.Len(uint(cap(*b)/minBuffer))-1].Put(b)
}
