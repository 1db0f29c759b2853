package model_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

// produce sends a new batch, or sends those again that were not acknowledged.
func (w *world) produce(s step, wait bool) error {
	producer, p := w.producers[s.a%uint32(len(w.producers))], w.part(s.b)
	if p == nil {
		return errSkip
	}
	again, err := w.again(producer, p, s)
	if err != nil {
		return err
	}
	if len(again) == 0 {
		again = append(again, w.newBatch(producer, p, s))
	}
	for _, b := range again {
		w.send(b)
	}
	if !wait {
		return nil
	}
	return w.resolveUpTo(again[len(again)-1])
}

// resolveUpTo waits for the answer to a batch, and for the answers to the earlier
// batches that its producer has in flight, since all come on one connection.
func (w *world) resolveUpTo(b *refBatch) error {
	var err error
	for _, other := range slices.Clone(w.flying) {
		if other != b && (other.producer != b.producer || other.part != b.part) || other.call == nil {
			continue
		}
		if e := w.resolve(other); e != nil {
			err = e
			if !errors.Is(e, errSkip) {
				return e
			}
		}
	}
	return err
}

// again returns the batches that a producer has to send again, ready to be sent.
func (w *world) again(producer *refProducer, p *refPart, s step) ([]*refBatch, error) {
	pending := producer.pending[p]
	if !producer.idempotent {
		if len(pending) == 0 || pending[0].call != nil || s.c%4 != 0 {
			return nil, nil
		}
		return pending, nil
	}
	if producer.mustWait(p) {
		if err := w.awaitAll(); err != nil {
			return nil, err
		}
		pending = producer.pending[p]
	}
	if producer.id < 0 {
		return nil, w.initProducer(producer)
	}
	if len(pending) > 0 && pending[0].call == nil {
		return slices.Clone(pending), nil
	}
	return nil, nil
}

// storm makes all producers send to one partition, and now and then cuts the power
// while nothing of that is on the disk yet.
func (w *world) storm(s step) error {
	p := w.part(s.b)
	if p == nil {
		return errSkip
	}
	for i := range (2 + s.c>>16%4) * uint32(len(w.producers)) {
		producer := w.producers[(s.a+i)%uint32(len(w.producers))]
		if producer.idempotent && producer.mustWait(p) {
			continue
		}
		if err := w.produce(step{a: uint32(producer.index), b: s.b, c: s.c + i*0x1_0101, d: s.d + i}, false); err != nil {
			return err
		}
	}
	settle()
	if s.a%3 != 0 {
		w.arm(step{b: s.d, c: s.c}, int(s.c%2*s.a%5))
	}
	return nil
}

func (w *world) initProducer(p *refProducer) error {
	resp, err := w.clients[p.index%connections].send(kmsg.NewPtrInitProducerIDRequest()).wait()
	if err := w.answered(err); err != nil {
		return err
	}
	got := resp.(*kmsg.InitProducerIDResponse)
	if err := w.explained(got.ErrorCode); err != nil {
		return err
	}
	for _, other := range w.producers {
		if other.id == got.ProducerID {
			return broken("producer ID %d is given twice", got.ProducerID)
		}
	}
	p.id = got.ProducerID
	return nil
}

// newBatch makes a batch whose records identify it.
func (w *world) newBatch(producer *refProducer, p *refPart, s step) *refBatch {
	w.ref.batches++
	b := &refBatch{id: fmt.Sprintf("%v/%d", p, w.ref.batches), number: w.ref.batches, producer: producer, part: p}
	n := int(s.c%5) + 1
	var records []record.KeyValue
	for i := range n {
		records = append(records, record.KeyValue{Value: fmt.Appendf(nil, "%s|%d%s", b.id, i, strings.Repeat("x", int(s.c>>8%8)*20%300))})
	}
	// Timestamps do not ascend: a batch may be up to a second older than the clock.
	batch := record.Build(time.Now().UnixMilli()-int64(s.d>>4%1000), records...)
	if w.h.settings.codec != record.None {
		if packed, err := record.Recode(batch, batch.Payload(), w.h.settings.codec, 1); err == nil {
			batch = packed
		}
	}
	if producer.idempotent {
		batch.SetProducer(producer.id, 0, producer.next[p])
		producer.next[p] += int32(n)
	} else {
		producer.pending[p] = nil
	}
	producer.pending[p] = append(producer.pending[p], b)
	b.bytes = batch
	p.batches[b.id] = b
	return b
}

func (w *world) send(b *refBatch) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = b.part.topic.name
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = b.part.index, append([]byte{}, b.bytes...)
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	b.attempts++
	b.call = w.clients[b.producer.index%connections].send(req)
	w.flying = append(w.flying, b)
}

// awaitAll waits for all answers.
func (w *world) awaitAll() error {
	for len(w.flying) > 0 {
		if err := w.resolve(w.flying[0]); err != nil && !errors.Is(err, errSkip) {
			return err
		}
	}
	return nil
}

// resolve waits for the answer to a batch.
func (w *world) resolve(b *refBatch) error {
	call := b.call
	b.call = nil
	for i, other := range w.flying {
		if other == b {
			w.flying = append(w.flying[:i:i], w.flying[i+1:]...)
			break
		}
	}
	resp, err := call.wait()
	if err := w.answered(err); err != nil {
		return err
	}
	got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	switch err := kerr.ErrorForCode(got.ErrorCode); {
	case err == nil:
		b.producer.acknowledged(b)
		return b.part.acknowledged(b, got.BaseOffset)
	case errors.Is(err, kerr.KafkaStorageError) && w.disk.failed():
		if !b.given {
			b.producer.troubled[b.part] = true
		}
		return errSkip // the batch may be there or not
	case errors.Is(err, kerr.OutOfOrderSequenceNumber) && b.given:
		return errSkip
	case errors.Is(err, kerr.OutOfOrderSequenceNumber) && b.producer.troubled[b.part]:
		b.producer.startOver() // an earlier batch is missing
		return errSkip
	case errors.Is(err, kerr.OutOfOrderSequenceNumber) && b.attempts > 1 && (b.part.topic.expires || max(b.part.start, b.part.asked) > 0):
		b.producer.startOver() // it was there and is deleted; those behind it are not
		return errSkip
	default:
		return broken("%v: batch %s, sent %d times, is refused: %v", b.part, b.id, b.attempts, err)
	}
}

// list looks up an offset of a partition.
func (w *world) list(p *refPart, replica int32, ts int64) (offset, timestamp int64, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = replica
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = p.topic.name
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = p.index, ts, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := w.clients[2].send(req).wait()
	if err := w.answered(err); err != nil {
		return 0, 0, err
	}
	got := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
	return got.Offset, got.Timestamp, w.explained(got.ErrorCode)
}

// look reads the offsets of a partition.
func (w *world) look(p *refPart) (v view, err error) {
	if v.start, _, err = w.list(p, -1, -2); err != nil {
		return v, err
	}
	if v.high, _, err = w.list(p, -1, -1); err != nil {
		return v, err
	}
	v.end, _, err = w.list(p, -2, -1)
	return v, err
}

// fetchOnce reads batches from an offset; outOfRange says that the offset is not in
// the log.
func (w *world) fetchOnce(p *refPart, offset int64, maxBytes int32) (batches []record.Batch, high, start int64, outOfRange bool, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MaxWaitMillis, req.MinBytes, req.SessionEpoch = 1<<20, 0, 0, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = p.topic.name
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = p.index, offset, maxBytes, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := w.clients[2].send(req).wait()
	if err := w.answered(err); err != nil {
		return nil, 0, 0, false, err
	}
	got := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if got.ErrorCode == kerr.OffsetOutOfRange.Code {
		return nil, 0, 0, true, nil
	}
	if err := w.explained(got.ErrorCode); err != nil {
		return nil, 0, 0, false, err
	}
	for rest := got.RecordBatches; len(rest) > 0; {
		b, behind, err := record.Split(rest)
		if err != nil {
			return nil, 0, 0, false, broken("%v: fetched from %d: %v", p, offset, err)
		}
		batches, rest = append(batches, b), behind
	}
	return batches, got.HighWatermark, got.LogStartOffset, false, nil
}

// fetch looks at the high watermark and reads from somewhere.
func (w *world) fetch(s step) error {
	p := w.part(s.a)
	if p == nil {
		return errSkip
	}
	v, err := w.look(p)
	if err != nil {
		return err
	}
	if err := p.bounds(v); err != nil {
		return err
	}
	offset := v.start + int64(s.b)%(v.high-v.start+1)
	batches, _, _, outOfRange, err := w.fetchOnce(p, offset, int32(s.c%2000)+1)
	if err != nil || outOfRange && p.topic.expires {
		return err
	}
	if outOfRange || len(batches) == 0 && offset < v.high {
		return broken("%v: nothing is fetched from %d, between %d and %d", p, offset, v.start, v.high)
	}
	for i, b := range batches {
		if i == 0 && (b.BaseOffset() > offset || b.LastOffset() < offset) {
			return broken("%v: fetched from %d, got %d", p, offset, b.BaseOffset())
		}
		if _, err := p.sent(b, &v); err != nil {
			return err
		}
	}
	return nil
}

// checkAll reads everything and compares it with what was promised.
func (w *world) checkAll() error {
	w.disk.fail(nil)
	for _, p := range w.ref.parts() {
		if err := w.check(p); err != nil {
			return err
		}
	}
	return w.checkOffsets()
}

func (w *world) check(p *refPart) error {
	for range 5 { // retention may remove what is being read
		v, err := w.look(p)
		if err != nil {
			return err
		}
		if err := p.bounds(v); err != nil {
			return err
		}
		moved, err := w.readAll(p, &v)
		if err != nil {
			return err
		}
		if moved {
			continue
		}
		if err := p.contents(&v); err != nil {
			return err
		}
		return w.checkTimes(p, &v)
	}
	return errSkip
}

func (w *world) readAll(p *refPart, v *view) (moved bool, err error) {
	for offset := v.start; offset < v.high; {
		batches, _, start, outOfRange, err := w.fetchOnce(p, offset, 1<<20)
		if err != nil {
			return false, err
		}
		if outOfRange || start != v.start {
			if !p.topic.expires {
				return false, broken("%v: offset %d, between %d and %d, cannot be read", p, offset, v.start, v.high)
			}
			return true, nil
		}
		if len(batches) == 0 {
			return false, broken("%v: nothing is read from %d, between %d and %d", p, offset, v.start, v.high)
		}
		for _, b := range batches {
			if b.BaseOffset() < v.high {
				v.batches = append(v.batches, b)
			}
			offset = b.NextOffset()
		}
	}
	return false, nil
}

// checkTimes compares lookups by time with what was read.
func (w *world) checkTimes(p *refPart, v *view) error {
	for i := 0; i < len(v.records); i += 1 + len(v.records)/4 {
		for _, ts := range []int64{v.records[i].timestamp, v.records[i].timestamp + 1} {
			want, _ := v.findTime(ts)
			offset, timestamp, err := w.list(p, -1, ts)
			if err != nil {
				return err
			}
			if start, _, err := w.list(p, -1, -2); err != nil || start != v.start {
				return err // retention removed something meanwhile
			}
			if want.offset < 0 && offset >= v.high {
				continue // produced meanwhile
			}
			if offset != want.offset || timestamp != want.timestamp {
				return broken("%v: the first record since %d is at %d with %d, the lookup says %d with %d", p, ts, want.offset, want.timestamp, offset, timestamp)
			}
		}
	}
	return nil
}
