package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
)

// Snapshot format, version 1, as in Kafka's .snapshot files. It reaches disk. A
// producer has an entry for each remembered batch, oldest first; without any, it has
// one entry. Kafka writes an entry for the newest batch only, and of several it reads
// the last. We keep all, because a client whose broker goes away repeats every batch in
// flight. If all but the newest were refused, the client would take a new producer ID
// and write its records twice.
const (
	snapshotVersion = 1
	snapshotHead    = 10
	snapshotEntry   = 46
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errSnapshot = errors.New("producer snapshot is damaged")

// snapshot returns the state, or nil if there are no producers, and the offset after
// the last batch that it covers. The log calls it from the goroutine that has the turn.
func (p *Partition) snapshot() (state []byte, end int64) { return p.state.encode(), p.stateEnd }

func (s *producers) encode() []byte {
	if len(s.byID) == 0 {
		return nil
	}
	out, entries := make([]byte, snapshotHead, snapshotHead+snapshotEntry*len(s.byID)), uint32(0)
	for _, id := range slices.Sorted(maps.Keys(s.byID)) {
		p := s.byID[id]
		batches := p.batches
		if len(batches) == 0 {
			batches = []sentBatch{{lastSequence: -1, lastOffset: -1, timestamp: p.timestamp}}
		}
		for _, b := range batches {
			out = p.appendEntry(out, id, b)
			entries++
		}
	}
	binary.BigEndian.PutUint16(out, snapshotVersion)
	binary.BigEndian.PutUint32(out[6:], entries)
	binary.BigEndian.PutUint32(out[2:], crc32.Checksum(out[6:], castagnoli))
	return out
}

func (p *producer) appendEntry(out []byte, id int64, b sentBatch) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(id))
	out = binary.BigEndian.AppendUint16(out, uint16(p.epoch))
	out = binary.BigEndian.AppendUint32(out, uint32(b.lastSequence))
	out = binary.BigEndian.AppendUint64(out, uint64(b.lastOffset))
	out = binary.BigEndian.AppendUint32(out, uint32(b.lastOffsetDelta))
	out = binary.BigEndian.AppendUint64(out, uint64(b.timestamp))
	out = binary.BigEndian.AppendUint32(out, uint32(p.coordinatorEpoch))
	return binary.BigEndian.AppendUint64(out, uint64(p.txnFirst))
}

func validSnapshot(raw []byte) bool { return newProducers().load(raw, math.MaxInt64) == nil }

// load replaces the state by that of a snapshot that was taken at offset end.
func (s *producers) load(raw []byte, end int64) error {
	if len(raw) < snapshotHead || binary.BigEndian.Uint16(raw) != snapshotVersion {
		return fmt.Errorf("%w: head", errSnapshot)
	}
	if binary.BigEndian.Uint32(raw[2:]) != crc32.Checksum(raw[6:], castagnoli) {
		return fmt.Errorf("%w: checksum", errSnapshot)
	}
	n := int64(binary.BigEndian.Uint32(raw[6:]))
	if int64(len(raw)) != snapshotHead+n*snapshotEntry {
		return fmt.Errorf("%w: %d bytes for %d entries", errSnapshot, len(raw), n)
	}
	s.byID = make(map[int64]*producer, n)
	for e := raw[snapshotHead:]; len(e) > 0; e = e[snapshotEntry:] {
		if err := s.loadEntry(e, end); err != nil {
			return err
		}
	}
	return nil
}

// loadEntry adds one entry to the state of its producer. It refuses a batch that is not
// below end, the snapshot's offset: a repetition of that batch would wait for ever, or
// be answered with an offset that does not exist.
func (s *producers) loadEntry(e []byte, end int64) error {
	id, epoch := int64(binary.BigEndian.Uint64(e)), int16(binary.BigEndian.Uint16(e[8:]))
	newest := sentBatch{
		lastSequence:    int32(binary.BigEndian.Uint32(e[10:])),
		lastOffset:      int64(binary.BigEndian.Uint64(e[14:])),
		lastOffsetDelta: int32(binary.BigEndian.Uint32(e[22:])),
		timestamp:       int64(binary.BigEndian.Uint64(e[26:])),
	}
	if id < 0 || newest.lastSequence >= 0 && (newest.lastOffsetDelta < 0 || newest.lastOffset < int64(newest.lastOffsetDelta) || newest.lastOffset >= end) {
		return fmt.Errorf("%w: producer %d with a last offset of %d", errSnapshot, id, newest.lastOffset)
	}
	p := s.byID[id]
	if p == nil || p.epoch != epoch || newest.lastSequence < 0 {
		p = &producer{epoch: epoch, timestamp: newest.timestamp}
		s.byID[id] = p
	}
	p.coordinatorEpoch = int32(binary.BigEndian.Uint32(e[34:]))
	p.txnFirst = int64(binary.BigEndian.Uint64(e[38:]))
	if newest.lastSequence >= 0 {
		newest.firstSequence = sequenceBefore(newest.lastSequence, newest.lastOffsetDelta)
		p.remember(newest)
	}
	return nil
}

// sequenceBefore subtracts n from a sequence, wrapping below 0.
func sequenceBefore(sequence, n int32) int32 {
	if sequence >= n {
		return sequence - n
	}
	return int32(1<<31 - 1 - (int64(n) - int64(sequence)) + 1)
}
