// Package record is the record batch, format version 2, as bytes.
//
// A [Batch] is a view of bytes from a socket or a file. It reads and patches header
// fields in place and never decodes records into objects: a batch keeps its bytes on
// the way from the producer's socket to the disk and from the disk to the consumer's
// socket. The base offset and the partition leader epoch come before the bytes that
// the CRC covers, so a broker can set them without touching the rest.
//
// Some functions look behind the header. [Check] verifies that a producer sent one
// well-formed batch. [Records] walks the records of an uncompressed batch without
// copying them. [Scan] walks the records of any batch without holding them unpacked.
// [Recode] rebuilds a batch with another codec, for topics that force one.
//
// The package owns the layout of a batch. It does not own offsets, epochs and
// sequences, which package partition assigns. kmsg encodes and decodes everything
// else in Kafka's protocol; fuzz tests hold this package's codec equal to kmsg's.
//
//	 0  8 base offset             27  8 base timestamp
//	 8  4 batch length            35  8 max timestamp
//	12  4 partition leader epoch  43  8 producer ID
//	16  1 magic (2)               51  2 producer epoch
//	17  4 CRC-32C of 21..         53  4 base sequence
//	21  2 attributes              57  4 record count
//	23  4 last offset delta       61    records
package record
