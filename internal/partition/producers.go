package partition

import (
	"maps"
	"slices"
	"time"

	"github.com/botehq/bote/internal/record"
)

// batchesRemembered is how many batches per producer are remembered. Clients keep at most this
// many in flight.
const batchesRemembered = 5

// sentBatch describes a batch of a producer that is in the log.
type sentBatch struct {
	firstSequence, lastSequence int32 // sequences
	lastOffset                  int64
	lastOffsetDelta             int32 // last offset minus base offset
	timestamp                   int64 // the largest of its records, milliseconds
}

// producer is the state of one producer ID.
type producer struct {
	epoch            int16
	batches          []sentBatch // oldest first, at most batchesRemembered
	timestamp        int64       // of the last batch, milliseconds
	coordinatorEpoch int32
	txnFirst         int64 // first offset of its open transaction, -1 for none
}

func (p *producer) lastSequence() int32 { return p.batches[len(p.batches)-1].lastSequence }

// producers is the idempotence state of a partition, KIP-98 as Kafka's
// ProducerStateManager has it.
type producers struct {
	byID  map[int64]*producer
	swept int64 // when expire last looked, milliseconds
}

func newProducers() *producers { return &producers{byID: map[int64]*producer{}} }

// check compares a batch with what its producer sent before. It returns the
// earlier batch if this one repeats it.
func (s *producers) check(b record.Batch) (seen sentBatch, duplicate bool, err error) {
	p := s.byID[b.ProducerID()]
	first, last, epoch := b.BaseSequence(), b.LastSequence(), b.ProducerEpoch()
	switch {
	case p == nil: // new, or expired: it may begin with any sequence
		return sentBatch{}, false, nil
	case epoch < p.epoch:
		return sentBatch{}, false, errEpoch
	case epoch > p.epoch:
		if first != 0 {
			return sentBatch{}, false, errSequence
		}
		return sentBatch{}, false, nil
	}
	for _, old := range p.batches {
		if old.firstSequence == first && old.lastSequence == last {
			return old, true, nil
		}
	}
	next := int32(0)
	if len(p.batches) > 0 {
		next = record.SequenceAfter(p.lastSequence(), 1)
	}
	if first != next {
		return sentBatch{}, false, errSequence
	}
	return sentBatch{}, false, nil
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
	p.remember(sentBatch{
		firstSequence: b.BaseSequence(), lastSequence: b.LastSequence(), lastOffset: b.LastOffset(), lastOffsetDelta: b.LastOffsetDelta(), timestamp: b.MaxTimestamp(),
	})
}

// remember adds the newest batch, and drops the oldest if there are more than
// batchesRemembered.
func (p *producer) remember(b sentBatch) {
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
