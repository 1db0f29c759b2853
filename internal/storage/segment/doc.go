// Package segment reads and writes the body of a log segment and its indexes, and does
// not know where they are kept: in files, in objects, or in memory. Their formats are
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
// [TimeIndex] by timestamp. A [Writer] makes their entries while batches are put at
// the end of the body.
//
// What is read may be damaged. Lengths are bounded by the body before they are
// believed. Indexes have no checksum: an entry is used only when the batch that it
// means confirms it, and is passed over for the one before it otherwise, which costs
// reading some headers more.
//
// Bytes come from a [Source] and positions go out. Not of this package are names,
// open files, locks, syncs, retention, and what is to be done about damage: these
// belong to the engine that keeps the segment. Leader epochs go across segments and
// belong to the log.
package segment
