package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/record"
)

// reference is what clients were promised.
type reference struct {
	topics  map[string]*refTopic
	offsets map[offsetKey]*refOffset
	counter int64 // the last committed offset; each is larger than all earlier ones
	batches int
}

// refTopic is a topic as clients know it.
type refTopic struct {
	name    string
	id      [16]byte
	parts   []*refPart
	unsure  bool // a request to change it was not answered
	expires bool // it has, or may have had, a retention limit
}

// refPart is one partition. Acknowledgements and reads both say what is at an offset;
// they must always agree.
type refPart struct {
	topic   *refTopic
	index   int32
	batches map[string]*refBatch
	log     map[int64]*refBatch
	high    int64 // the high watermark must not go below this
	start   int64 // the log start must not go below this
	asked   int64 // an unanswered deletion may have moved the start up to here
	lost    bool  // a power cut took what was not synced; the next look shows how much
}

// refBatch is a batch that was sent.
type refBatch struct {
	id       string
	number   int
	bytes    record.Batch
	attempts int
	refused  bool
	given    bool // given up: its producer went on with another ID
	producer *refProducer
	part     *refPart
	call     *call
}

// refProducer is a producer. An idempotent one has up to window batches of a
// partition in flight. When it cannot know what became of one of them, it sends all
// of them again, in order, before any other. The first batch of a partition travels
// alone: a broker that does not know the producer accepts any batch as its first.
type refProducer struct {
	index      int
	idempotent bool
	id         int64
	next       map[*refPart]int32
	pending    map[*refPart][]*refBatch // not acknowledged, in order; of a plain producer only the last
	known      map[*refPart]bool        // a batch for it was acknowledged
	troubled   map[*refPart]bool        // in this life the disk refused a batch of pending
}

// window is how many batches of a producer a broker has to remember.
const window = 5

func newProducer(index int) *refProducer {
	p := &refProducer{index: index, idempotent: index >= 2}
	p.startOver()
	return p
}

// startOver gives up the ID and all batches that are not acknowledged, which may be
// in the log or not.
func (p *refProducer) startOver() {
	for _, pending := range p.pending {
		for _, b := range pending {
			b.given = true
		}
	}
	p.id, p.next, p.pending, p.known, p.troubled = -1, map[*refPart]int32{}, map[*refPart][]*refBatch{}, map[*refPart]bool{}, map[*refPart]bool{}
}

// acknowledged notes that a batch was acknowledged.
func (p *refProducer) acknowledged(b *refBatch) {
	if b.given {
		return
	}
	p.known[b.part] = true
	p.pending[b.part] = slices.DeleteFunc(p.pending[b.part], func(other *refBatch) bool { return other == b })
}

// mustWait reports whether answers are needed before another batch is sent to a
// partition.
func (p *refProducer) mustWait(part *refPart) bool {
	flying := 0
	for _, b := range p.pending[part] {
		if b.call != nil {
			flying++
		}
	}
	return flying > 0 && (flying == window || flying < len(p.pending[part]) || !p.known[part])
}

type offsetKey struct {
	group string
	part  *refPart
}

type refOffset struct{ acked, tried int64 }

func newReference() *reference {
	return &reference{topics: map[string]*refTopic{}, offsets: map[offsetKey]*refOffset{}}
}

func (r *reference) create(name string, id [16]byte, partitions int32, expires bool) *refTopic {
	t := &refTopic{name: name, id: id, expires: expires}
	for i := range partitions {
		t.parts = append(t.parts, &refPart{topic: t, index: i, batches: map[string]*refBatch{}, log: map[int64]*refBatch{}})
	}
	r.topics[name] = t
	return t
}

// parts are the partitions of all topics, in a fixed order.
func (r *reference) parts() (all []*refPart) {
	for _, name := range topicNames {
		if t := r.topics[name]; t != nil {
			all = append(all, t.parts...)
		}
	}
	return all
}

func (p *refPart) String() string { return fmt.Sprintf("%s-%d", p.topic.name, p.index) }

// violation is a broken promise.
type violation struct{ text string }

func (v *violation) Error() string { return v.text }

func broken(format string, args ...any) error {
	return &violation{fmt.Sprintf(format, args...)}
}

func isViolation(err error) bool {
	var v *violation
	return errors.As(err, &v)
}

// acknowledged notes the offset of a batch.
func (p *refPart) acknowledged(b *refBatch, base int64) error {
	if other := p.log[base]; other != nil && other != b {
		return broken("%v: batch %s is acknowledged at %d, where %s is", p, b.id, base, other.id)
	}
	for at, other := range p.log {
		// If all batches of a producer are deleted, the broker may forget it, as Kafka
		// does.
		deleted := p.topic.expires || at+int64(b.bytes.Count()) <= max(p.start, p.asked)
		if other == b && at != base && b.producer.idempotent && !deleted {
			return broken("%v: batch %s is acknowledged at %d and at %d", p, b.id, at, base)
		}
	}
	p.log[base] = b
	p.high = max(p.high, base+int64(b.bytes.Count()))
	return nil
}

// view is what a reader sees of a partition.
type view struct {
	start, high, end int64
	batches          []record.Batch
	records          []seen
}

// seen is the offset and timestamp of a record.
type seen struct{ offset, timestamp int64 }

// bounds compares the offsets of a partition with the earlier ones.
func (p *refPart) bounds(v view) error {
	if p.lost {
		p.forget(v.high)
	}
	switch {
	case v.start > v.high || v.high > v.end:
		return broken("%v: log start %d, high watermark %d, log end %d", p, v.start, v.high, v.end)
	case v.high < p.high:
		return broken("%v: the high watermark went back from %d to %d", p, p.high, v.high)
	case v.start < p.start:
		return broken("%v: the log start went back from %d to %d", p, p.start, v.start)
	case v.start > max(p.start, p.asked) && !p.topic.expires:
		return broken("%v: the log start went from %d to %d and nobody asked for it", p, p.start, v.start)
	}
	p.high, p.start = v.high, v.start
	return nil
}

// forget accepts that a power cut took the end of the log.
func (p *refPart) forget(high int64) {
	p.lost = false
	p.high = high
	for base, b := range p.log {
		if base+int64(b.bytes.Count()) > high {
			delete(p.log, base)
			b.attempts-- // if the batch is there again, it was sent again
		}
	}
}

// contents compares what is read with what was sent and acknowledged.
func (p *refPart) contents(v *view) error {
	next := int64(-1)
	times := map[*refBatch]int{}
	found := map[int64]bool{}
	for _, got := range v.batches {
		base := got.BaseOffset()
		switch {
		case next < 0 && base > v.start:
			return broken("%v: nothing between the log start %d and %d", p, v.start, base)
		case next >= 0 && base != next:
			return broken("%v: a hole between %d and %d", p, next, base)
		}
		next = got.NextOffset()
		b, err := p.sent(got, v)
		if err != nil {
			return err
		}
		if known := p.log[base]; known != nil && known != b {
			return broken("%v: at %d is %s, and was %s", p, base, b.id, known.id)
		}
		p.log[base], found[base] = b, true
		if times[b]++; times[b] > b.attempts || times[b] > 1 && b.producer.idempotent {
			return broken("%v: batch %s is there %d times, was sent %d times", p, b.id, times[b], b.attempts)
		}
	}
	if next < v.high && v.start < v.high {
		return broken("%v: nothing between %d and the high watermark %d", p, next, v.high)
	}
	for base, b := range p.log {
		if base+int64(b.bytes.Count()) > v.start && base < v.high && !found[base] {
			return broken("%v: batch %s at %d was acknowledged or seen, and is gone", p, b.id, base)
		}
	}
	return p.order(v)
}

// sent finds the batch that was read among those that were sent. All bytes but the
// base offset and the leader epoch must be unchanged.
func (p *refPart) sent(got record.Batch, v *view) (*refBatch, error) {
	if !got.ValidCRC() {
		return nil, broken("%v: the batch at %d has a wrong checksum", p, got.BaseOffset())
	}
	payload, err := record.Decompress(got.Codec(), got.Payload(), 1<<20)
	if err != nil {
		return nil, broken("%v: the batch at %d: %v", p, got.BaseOffset(), err)
	}
	var b *refBatch
	for r, err := range record.Records(payload, got.Count()) {
		if err != nil {
			return nil, broken("%v: the batch at %d: %v", p, got.BaseOffset(), err)
		}
		id, _, _ := strings.Cut(string(r.Value), "|")
		if b = p.batches[id]; b == nil {
			return nil, broken("%v: %q at %d was never sent", p, r.Value, got.BaseOffset())
		}
		v.records = append(v.records, seen{got.BaseOffset() + int64(r.OffsetDelta), got.BaseTimestamp() + r.TimestampDelta})
	}
	if b == nil || b.refused {
		return nil, broken("%v: the batch at %d was refused", p, got.BaseOffset())
	}
	if !bytes.Equal(got[8:12], b.bytes[8:12]) || !bytes.Equal(got[16:], b.bytes[16:]) {
		return nil, broken("%v: batch %s at %d is not as it was sent", p, b.id, got.BaseOffset())
	}
	return b, nil
}

// order checks that each producer's batches are in the order in which they were sent.
// A batch that was sent more than once may be late, unless the producer is
// idempotent.
func (p *refPart) order(v *view) error {
	last := map[*refProducer]*refBatch{}
	for _, got := range v.batches {
		b := p.log[got.BaseOffset()]
		if b.attempts > 1 && !b.producer.idempotent {
			continue
		}
		if before := last[b.producer]; before != nil && before.number > b.number {
			return broken("%v: batch %s is before %s, which was sent first", p, before.id, b.id)
		}
		last[b.producer] = b
	}
	return nil
}

// findTime returns the record that a lookup by time must find.
func (v *view) findTime(ts int64) (seen, bool) {
	i := slices.IndexFunc(v.records, func(r seen) bool { return r.offset >= v.start && r.offset < v.high && r.timestamp >= ts })
	if i < 0 {
		return seen{offset: -1, timestamp: -1}, false
	}
	return v.records[i], true
}
