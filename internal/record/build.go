package record

import "encoding/binary"

// finish stores length, magic, attributes and CRC. The other header fields and the
// records must be in place.
func (b Batch) finish(attributes int16) {
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-Overhead))
	b[magicAt] = Magic
	binary.BigEndian.PutUint16(b[attributesAt:], uint16(attributes))
	b.SealCRC()
}

// KeyValue is a record for [Build]; nil means null.
type KeyValue struct {
	Key, Value []byte
}

// Build makes an uncompressed batch, with base offset 0 and no producer, of records
// that share one timestamp.
func Build(now int64, records ...KeyValue) Batch {
	b := append(Batch(nil), make([]byte, HeaderSize)...)
	binary.BigEndian.PutUint32(b[lastDeltaAt:], uint32(len(records)-1))
	binary.BigEndian.PutUint64(b[baseTimeAt:], uint64(now))
	binary.BigEndian.PutUint64(b[maxTimeAt:], uint64(now))
	binary.BigEndian.PutUint32(b[countAt:], uint32(len(records)))
	b.SetProducer(-1, -1, -1)
	for i, r := range records {
		body := append([]byte{0}, 0) // attributes, timestamp delta
		body = binary.AppendVarint(body, int64(i))
		body = appendBytes(body, r.Key)
		body = appendBytes(body, r.Value)
		body = binary.AppendVarint(body, 0)
		b = binary.AppendVarint(b, int64(len(body)))
		b = append(b, body...)
	}
	b.finish(0)
	return b
}

// SetProducer sets producer ID, producer epoch and base sequence, and renews the CRC.
func (b Batch) SetProducer(id int64, epoch int16, sequence int32) {
	binary.BigEndian.PutUint64(b[producerAt:], uint64(id))
	binary.BigEndian.PutUint16(b[prodEpochAt:], uint16(epoch))
	binary.BigEndian.PutUint32(b[sequenceAt:], uint32(sequence))
	b.SealCRC()
}

func appendBytes(dst, p []byte) []byte {
	if p == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(p)))
	return append(dst, p...)
}
