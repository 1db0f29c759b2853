package segment

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// Sizes of index entries. They reach disk.
const (
	OffsetEntrySize = 8
	TimeEntrySize   = 12
)

// MaxSpan is the largest distance from the base of a segment that an index can hold.
const MaxSpan = 1<<31 - 1

// maxProofs is how many entries of an index are tried before a search gives up on it.
const maxProofs = 8

// OffsetEntry says that the batch at Position ends with the offset base + Relative. In
// an index that is not damaged:
//
//	0 <= Position < size of the body; 0 <= Relative <= MaxSpan
type OffsetEntry struct {
	Relative int32
	Position int32
}

// OffsetIndex is the bytes of an offset index. In one that is sane (see
// [OffsetIndex.Sane]), relative offsets and positions both grow strictly:
//
//	At(i-1).Relative < At(i).Relative; At(i-1).Position < At(i).Position
//
// Nothing changes bytes of an index once they are there, so a slice of it may be read
// while another goroutine appends.
type OffsetIndex []byte

// Len is the number of whole entries.
func (x OffsetIndex) Len() int { return len(x) / OffsetEntrySize }

// At returns entry i, for 0 <= i < Len.
func (x OffsetIndex) At(i int) OffsetEntry {
	p := x[i*OffsetEntrySize:]
	return OffsetEntry{Relative: int32(binary.BigEndian.Uint32(p)), Position: int32(binary.BigEndian.Uint32(p[4:]))}
}

// Append adds an entry, as append does.
func (x OffsetIndex) Append(e OffsetEntry) OffsetIndex {
	x = binary.BigEndian.AppendUint32(x, uint32(e.Relative))
	return binary.BigEndian.AppendUint32(x, uint32(e.Position))
}

// First returns the first n entries. Appending to them does not overwrite the others.
func (x OffsetIndex) First(n int) OffsetIndex { return x[: n*OffsetEntrySize : n*OffsetEntrySize] }

// Used returns the whole entries up to the last that is not all zeros: Kafka
// preallocates indexes, and a crash leaves zeros behind the entries.
func (x OffsetIndex) Used() OffsetIndex { return used(x, OffsetEntrySize) }

// Sane reports whether the entries of an index that is [OffsetIndex.Used] grow as they
// must, and point into a body of that size.
func (x OffsetIndex) Sane(size int64) bool {
	n := x.Len()
	for i := 1; i < n; i++ {
		if a, b := x.At(i-1), x.At(i); b.Relative <= a.Relative || b.Position <= a.Position {
			return false
		}
	}
	if n == 0 {
		return true
	}
	first, last := x.At(0), x.At(n-1)
	return first.Relative >= 0 && first.Position >= 0 && int64(last.Position) < size
}

// CountBelow returns how many entries there are up to the last whose relative offset is
// below relative.
func (x OffsetIndex) CountBelow(relative int64) int {
	for n := x.Len(); n > 0; n-- {
		if int64(x.At(n-1).Relative) < relative {
			return n
		}
	}
	return 0
}

// Boundary returns the last entry whose position is at most limit and whose relative
// offset is below to; ok is false if there is none. No batch has confirmed the entry.
func (x OffsetIndex) Boundary(limit, to int64) (e OffsetEntry, ok bool) {
	i := sort.Search(x.Len(), func(i int) bool {
		e := x.At(i)
		return int64(e.Position) > limit || int64(e.Relative) >= to
	})
	if i == 0 {
		return OffsetEntry{}, false
	}
	return x.At(i - 1), true
}

// before calls visit with entries at or before the batch that holds a relative offset,
// the nearest first, until visit returns false. It tries at most maxProofs entries.
func (x OffsetIndex) before(relative int64, visit func(OffsetEntry) bool) {
	i := sort.Search(x.Len(), func(i int) bool { return int64(x.At(i).Relative) > relative })
	for tries := 0; i > 0 && tries < maxProofs; i-- {
		e := x.At(i - 1)
		if int64(e.Relative) > relative {
			continue // the index is damaged
		}
		if !visit(e) {
			return
		}
		tries++
	}
}

// TimeEntry says that Timestamp, in milliseconds, is the largest up to the offset base
// + Relative, which is the last offset of the batch that has it.
type TimeEntry struct {
	Timestamp int64
	Relative  int32
}

// TimeIndex is the bytes of a time index. In one that is sane (see [TimeIndex.Sane]),
// neither timestamps nor relative offsets go back:
//
//	At(i-1).Timestamp <= At(i).Timestamp; At(i-1).Relative <= At(i).Relative
//
// The last entry of a segment that no longer grows has its largest timestamp. As with
// [OffsetIndex], a slice of it may be read while another goroutine appends.
type TimeIndex []byte

// Len is the number of whole entries.
func (x TimeIndex) Len() int { return len(x) / TimeEntrySize }

// At returns entry i, for 0 <= i < Len.
func (x TimeIndex) At(i int) TimeEntry {
	p := x[i*TimeEntrySize:]
	return TimeEntry{Timestamp: int64(binary.BigEndian.Uint64(p)), Relative: int32(binary.BigEndian.Uint32(p[8:]))}
}

// Append adds an entry, as append does.
func (x TimeIndex) Append(e TimeEntry) TimeIndex {
	x = binary.BigEndian.AppendUint64(x, uint64(e.Timestamp))
	return binary.BigEndian.AppendUint32(x, uint32(e.Relative))
}

// First returns the first n entries. Appending to them does not overwrite the others.
func (x TimeIndex) First(n int) TimeIndex { return x[: n*TimeEntrySize : n*TimeEntrySize] }

// Used returns the whole entries up to the last that is not zero.
func (x TimeIndex) Used() TimeIndex { return used(x, TimeEntrySize) }

// Sane reports whether the entries of an index that is [TimeIndex.Used] grow as they
// must.
func (x TimeIndex) Sane() bool {
	for i := 1; i < x.Len(); i++ {
		if a, b := x.At(i-1), x.At(i); b.Timestamp < a.Timestamp || b.Relative < a.Relative {
			return false
		}
	}
	return true
}

// CountBelow returns how many entries there are up to the last whose relative offset is
// below relative.
func (x TimeIndex) CountBelow(relative int64) int {
	for n := x.Len(); n > 0; n-- {
		if int64(x.At(n-1).Relative) < relative {
			return n
		}
	}
	return 0
}

// before calls visit with entries whose timestamp is below ts, the nearest first,
// until visit returns false. It tries at most maxProofs entries. Up to the offset of
// such an entry, no record has a timestamp of ts or later.
func (x TimeIndex) before(ts int64, visit func(TimeEntry) bool) {
	i := sort.Search(x.Len(), func(i int) bool { return x.At(i).Timestamp >= ts })
	x.back(i, func(e TimeEntry) bool { return e.Timestamp < ts }, visit)
}

// below is like before, but for entries whose relative offset is below one.
func (x TimeIndex) below(relative int64, visit func(TimeEntry) bool) {
	i := sort.Search(x.Len(), func(i int) bool { return int64(x.At(i).Relative) >= relative })
	x.back(i, func(e TimeEntry) bool { return int64(e.Relative) < relative }, visit)
}

// back goes back from entry i-1 and skips entries that are not wanted: they are
// damaged.
func (x TimeIndex) back(i int, wanted, visit func(TimeEntry) bool) {
	for tries := 0; i > 0 && tries < maxProofs; i-- {
		e := x.At(i - 1)
		if !wanted(e) {
			continue
		}
		if !visit(e) {
			return
		}
		tries++
	}
}

func used(raw []byte, entry int) []byte {
	n := len(raw) / entry
	for n > 0 && zero(raw[(n-1)*entry:n*entry]) {
		n--
	}
	return raw[: n*entry : n*entry]
}

func zero(p []byte) bool { return len(bytes.TrimLeft(p, "\x00")) == 0 }
