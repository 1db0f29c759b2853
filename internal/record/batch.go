package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// Layout of a batch. These constants are part of the disk format and the protocol.
const (
	HeaderSize = 61 // bytes before the first record
	Magic      = 2
	// Overhead is the number of bytes that the length field does not count: the base
	// offset and the field itself.
	Overhead = 12

	lengthAt     = 8
	epochAt      = 12
	magicAt      = 16
	crcAt        = 17
	attributesAt = 21
	lastDeltaAt  = 23
	baseTimeAt   = 27
	maxTimeAt    = 35
	producerAt   = 43
	prodEpochAt  = 51
	sequenceAt   = 53
	countAt      = 57

	attrCodec         = 0x07
	attrLogAppendTime = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
	attrUsed          = 0x7f // the bits that have a meaning; 0x40 is the delete horizon's
)

// NoProducer is the producer ID of batches that no idempotent producer wrote.
const NoProducer = -1

// Codec is the compression of a batch's records.
type Codec int8

// The codecs, numbered as in the attributes of a batch.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrShort is returned by [Split] if the bytes end before the batch does.
var ErrShort = errors.New("incomplete batch")

// ErrCorrupt is returned by [Split] if the bytes cannot be a batch: the magic byte is
// unknown, or the length is too small for a header.
var ErrCorrupt = errors.New("not a record batch")

// Batch is the bytes of exactly one batch. Methods that read a field may be called
// concurrently; setters need exclusive access.
type Batch []byte

// Split returns the first batch of p and the bytes after it.
func Split(p []byte) (b Batch, rest []byte, err error) {
	size, err := Size(p)
	if err != nil {
		return nil, nil, err
	}
	if size > len(p) {
		return nil, nil, ErrShort
	}
	return Batch(p[:size:size]), p[size:], nil
}

// Size returns the size in bytes of the batch at the start of p; p need only hold the
// batch's header.
func Size(p []byte) (int, error) {
	if len(p) < HeaderSize {
		return 0, ErrShort
	}
	n := int32(binary.BigEndian.Uint32(p[lengthAt:]))
	if n < HeaderSize-Overhead || n > math.MaxInt32-Overhead || p[magicAt] != Magic {
		return 0, ErrCorrupt
	}
	return int(n) + Overhead, nil
}

func (b Batch) int64At(i int) int64 { return int64(binary.BigEndian.Uint64(b[i:])) }
func (b Batch) int32At(i int) int32 { return int32(binary.BigEndian.Uint32(b[i:])) }
func (b Batch) int16At(i int) int16 { return int16(binary.BigEndian.Uint16(b[i:])) }

// BaseOffset returns the offset of the first record.
func (b Batch) BaseOffset() int64 { return b.int64At(0) }

// LastOffset returns the offset of the last record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset returns the offset after the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// Length returns the length field: the size of the batch without [Overhead].
func (b Batch) Length() int32 { return b.int32At(lengthAt) }

// Magic returns the format version, which is [Magic] in a batch that [Split] or [Size]
// accepted.
func (b Batch) Magic() byte { return b[magicAt] }

// LeaderEpoch returns the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() int32 { return b.int32At(epochAt) }

// CRC returns the stored checksum.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[crcAt:]) }

// Attributes returns the raw attribute bits.
func (b Batch) Attributes() int16 { return b.int16At(attributesAt) }

// Codec returns the compression of the records.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & attrCodec) }

// LogAppendTime reports whether the max timestamp is the timestamp of every record.
func (b Batch) LogAppendTime() bool { return b.Attributes()&attrLogAppendTime != 0 }

// Transactional reports whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&attrTransactional != 0 }

// Control reports whether the batch holds a transaction marker.
func (b Batch) Control() bool { return b.Attributes()&attrControl != 0 }

// LastOffsetDelta returns the distance from the base offset to the last offset.
func (b Batch) LastOffsetDelta() int32 { return b.int32At(lastDeltaAt) }

// BaseTimestamp returns the timestamp, in milliseconds, to which the records'
// timestamps are relative.
func (b Batch) BaseTimestamp() int64 { return b.int64At(baseTimeAt) }

// MaxTimestamp returns the largest timestamp of the batch, in milliseconds.
func (b Batch) MaxTimestamp() int64 { return b.int64At(maxTimeAt) }

// ProducerID returns the ID of the idempotent producer, or [NoProducer].
func (b Batch) ProducerID() int64 { return b.int64At(producerAt) }

// ProducerEpoch returns the epoch of the producer.
func (b Batch) ProducerEpoch() int16 { return b.int16At(prodEpochAt) }

// BaseSequence returns the sequence number of the first record, -1 without a producer.
func (b Batch) BaseSequence() int32 { return b.int32At(sequenceAt) }

// LastSequence returns the sequence number of the last record. Sequence numbers wrap
// from the largest int32 to 0.
func (b Batch) LastSequence() int32 {
	return SequenceAfter(b.BaseSequence(), b.LastOffsetDelta())
}

// Count returns the number of records in the header.
func (b Batch) Count() int32 { return b.int32At(countAt) }

// Payload returns the records, compressed or not.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// SequenceAfter adds n to a sequence number, wrapping from the largest int32 to 0.
func SequenceAfter(sequence, n int32) int32 {
	if sequence > math.MaxInt32-n {
		return n - (math.MaxInt32 - sequence) - 1
	}
	return sequence + n
}

// SetBaseOffset sets the base offset. The CRC does not cover it.
func (b Batch) SetBaseOffset(offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetLeaderEpoch sets the partition leader epoch. The CRC does not cover it.
func (b Batch) SetLeaderEpoch(epoch int32) { binary.BigEndian.PutUint32(b[epochAt:], uint32(epoch)) }

// SetTimestamps sets the timestamp type and the max timestamp. If one of them changed,
// it renews the CRC and, like Kafka, clears the attribute bits that have no meaning.
func (b Batch) SetTimestamps(logAppendTime bool, maxTimestamp int64) {
	attributes := b.Attributes() &^ attrLogAppendTime
	if logAppendTime {
		attributes |= attrLogAppendTime
	}
	if attributes == b.Attributes() && maxTimestamp == b.MaxTimestamp() {
		return
	}
	binary.BigEndian.PutUint16(b[attributesAt:], uint16(attributes&attrUsed))
	binary.BigEndian.PutUint64(b[maxTimeAt:], uint64(maxTimestamp))
	b.SealCRC()
}

// SealCRC computes and stores the checksum.
func (b Batch) SealCRC() { binary.BigEndian.PutUint32(b[crcAt:], b.checksum()) }

// ValidCRC reports whether the stored checksum matches the bytes.
func (b Batch) ValidCRC() bool { return b.CRC() == b.checksum() }

func (b Batch) checksum() uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }
