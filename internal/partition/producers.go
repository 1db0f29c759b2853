package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/botehq/bote/internal/record"
)

// batchesRemembered is how many batches per producer are remembered. Clients keep at most this
// many in flight.
const batchesRemembered = 5

// sent describes a batch of a producer that is in the log.
type sent struct {
	first, last int32 // sequences
	lastOffset  int64
	delta       int32 // last offset minus base offset
	timestamp   int64 // the largest of its records, milliseconds
}

// producer is the state of one producer ID.
type producer struct {
	epoch            int16
	batches          []sent // oldest first, at most window
	timestamp        int64  // of the last batch, milliseconds
	coordinatorEpoch int32
	txnFirst         int64 // first offset of its open transaction, -1 for none
}

func (p *producer) lastSequence() int32 { return p.batches[len(p.batches)-1].last }

// producers is the idempotence state of a partition, KIP-98 as Kafka's
// ProducerStateManager has it.
type producers struct {
	byID  map[int64]*producer
	swept int64 // when expire last looked, milliseconds
}

func newProducers() *producers { return &producers{byID: map[int64]*producer{}} }

// check compares a batch with what its producer sent before. It returns the
// earlier batch if this one repeats it.
func (s *producers) check(b record.Batch) (seen sent, duplicate bool, err error) {
	p := s.byID[b.ProducerID()]
	first, last, epoch := b.BaseSequence(), b.LastSequence(), b.ProducerEpoch()
	switch {
	case p == nil: // new, or expired: it may begin with any sequence
		return sent{}, false, nil
	case epoch < p.epoch:
		return sent{}, false, errEpoch
	case epoch > p.epoch:
		if first != 0 {
			return sent{}, false, errSequence
		}
		return sent{}, false, nil
	}
	for _, old := range p.batches {
		if old.first == first && old.last == last {
			return old, true, nil
		}
	}
	next := int32(0)
	if len(p.batches) > 0 {
		next = record.SequenceAfter(p.lastSequence(), 1)
	}
	if first != next {
		return sent{}, false, errSequence
	}
	return sent{}, false, nil
}

// add remembers a batch that is in the log.
func (s *producers) add(b record.Batch) {
	p := s.byID[b.ProducerID()]
	if p == nil {
		p = &producer{coordinatorEpoch: -1, txnFirst: -1}
		s.byID[b.ProducerID()] = p
	}
	if p.epoch != b.ProducerEpoch() {
		p.epoch, p.batches = b.ProducerEpoch(), nil
	}
	p.remember(sent{
		first: b.BaseSequence(), last: b.LastSequence(), lastOffset: b.LastOffset(), delta: b.LastOffsetDelta(), timestamp: b.MaxTimestamp(),
	})
}

// remember adds the newest batch, and drops the oldest if there are more than window.
func (p *producer) remember(b sent) {
	if len(p.batches) == batchesRemembered {
		p.batches = slices.Delete(p.batches, 0, 1)
	}
	p.batches = append(p.batches, b)
	p.timestamp = b.timestamp
}

// replay is add for a batch header that Open reads from the log.
func (s *producers) replay(h record.Batch) {
	if h.ProducerID() >= 0 && !h.Control() && h.BaseSequence() >= 0 {
		s.add(h)
	}
}

// sweepEvery is how often expire looks at all producers, in milliseconds.
const sweepEvery = 600_000

// expire forgets producers that have been idle for longer than expiry.
func (s *producers) expire(now int64, expiry func() time.Duration) {
	if now-s.swept < sweepEvery {
		return
	}
	s.swept = now
	after := expiry().Milliseconds()
	maps.DeleteFunc(s.byID, func(_ int64, p *producer) bool { return p.txnFirst < 0 && p.timestamp < now-after })
}

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
			batches = []sent{{last: -1, lastOffset: -1, timestamp: p.timestamp}}
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

func (p *producer) appendEntry(out []byte, id int64, b sent) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(id))
	out = binary.BigEndian.AppendUint16(out, uint16(p.epoch))
	out = binary.BigEndian.AppendUint32(out, uint32(b.last))
	out = binary.BigEndian.AppendUint64(out, uint64(b.lastOffset))
	out = binary.BigEndian.AppendUint32(out, uint32(b.delta))
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
	newest := sent{
		last:       int32(binary.BigEndian.Uint32(e[10:])),
		lastOffset: int64(binary.BigEndian.Uint64(e[14:])),
		delta:      int32(binary.BigEndian.Uint32(e[22:])),
		timestamp:  int64(binary.BigEndian.Uint64(e[26:])),
	}
	if id < 0 || newest.last >= 0 && (newest.delta < 0 || newest.lastOffset < int64(newest.delta) || newest.lastOffset >= end) {
		return fmt.Errorf("%w: producer %d with a last offset of %d", errSnapshot, id, newest.lastOffset)
	}
	p := s.byID[id]
	if p == nil || p.epoch != epoch || newest.last < 0 {
		p = &producer{epoch: epoch, timestamp: newest.timestamp}
		s.byID[id] = p
	}
	p.coordinatorEpoch = int32(binary.BigEndian.Uint32(e[34:]))
	p.txnFirst = int64(binary.BigEndian.Uint64(e[38:]))
	if newest.last >= 0 {
		newest.first = sequenceBefore(newest.last, newest.delta)
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

// Producer describes an active producer for DescribeProducers. Unknown values are -1.
type Producer struct {
	ID               int64
	Epoch            int16
	LastSequence     int32
	LastTimestamp    int64
	CoordinatorEpoch int32
	TxnStart         int64
}

// Producers lists the producers that the partition remembers, by ID.
func (p *Partition) Producers() []Producer {
	p.turn.Take()
	defer p.turn.Give()
	var out []Producer
	for _, id := range slices.Sorted(maps.Keys(p.state.byID)) {
		s := p.state.byID[id]
		d := Producer{ID: id, Epoch: s.epoch, LastSequence: -1, LastTimestamp: s.timestamp, CoordinatorEpoch: s.coordinatorEpoch, TxnStart: s.txnFirst}
		if len(s.batches) > 0 {
			d.LastSequence = s.lastSequence()
		}
		out = append(out, d)
	}
	return out
}
