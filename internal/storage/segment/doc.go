// Package segment reads and writes the body of a log segment and its indexes. It does
// not know where they are kept: in files, in objects, or in memory. The formats are
// those of Apache Kafka, byte for byte (docs/formats/log.md).
//
// A [Body] is whole record batches, one behind the other:
//
//	position  0          n1             n1+n2
//	          [ batch    ][ batch       ][ batch ...
//	offsets   b .. l1     .. l2
//	          ^ base of the segment: b >= base, l1 < l2 < ..., l - base <= MaxSpan
//
// A position counts bytes from the beginning of the body, an offset counts records of
// the log. Two sparse indexes lead to positions: an [OffsetIndex] by offset, a
// [TimeIndex] by timestamp. An [Indexer] makes their entries while batches are
// appended to the body.
//
// What is read may be damaged. Lengths are checked against the body before they are
// believed. Indexes have no checksum: an entry is used only if its batch confirms it.
// Otherwise the entry before it is tried, which costs reading some more headers.
//
// Bytes come from a [Source], and positions are the results. Names, open files,
// locks, syncs, retention, and what to do about damage belong to the engine that
// keeps the segment. Leader epochs span segments and belong to the log.
package segment
