package partition

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/record"
)

// Appended says where a batch is in the log.
type Appended struct {
	BaseOffset int64
	// AppendTime is the broker's time in milliseconds if the topic uses
	// LogAppendTime, else -1.
	AppendTime int64
}

// Append puts a checked batch at the end of the log, in the order of the calls.
// It patches offset and leader epoch into the batch and does not keep it. Done is
// called exactly once: with the place of the batch once it is durable, or with an
// error. A batch that was refused is not in the log. After KAFKA_STORAGE_ERROR, or if
// the log was fenced or End was called meanwhile, it may be there or not.
//
// A batch that an idempotent producer repeats is not written again: it shares
// the outcome of the first.
func (p *Partition) Append(b record.Batch, done func(Appended, error)) {
	if _, err := p.AppendOrdered(b, done); err != nil {
		done(Appended{}, err)
	}
}

// AppendOrdered is Append for callers that need the offset before the batch is
// durable. If it returns an error, nothing was appended and done is not called. For a
// batch that a producer repeats, base is the offset of the first.
func (p *Partition) AppendOrdered(b record.Batch, done func(Appended, error)) (base int64, err error) {
	if err := p.Writable(); err != nil {
		return -1, err // do not wait for the turn: the repair of a failed log holds it for long
	}
	p.turn.Take()
	defer p.turn.Give()
	return p.appendInTurn(b, done)
}

// appendInTurn returns an error if the batch was refused; done is then not called.
func (p *Partition) appendInTurn(b record.Batch, done func(Appended, error)) (base int64, err error) {
	if err := p.Writable(); err != nil {
		return -1, err
	}
	now := p.cfg.Now().UnixMilli()
	if b.ProducerID() >= 0 {
		p.state.expire(now, p.cfg.ProducerExpiry)
		seen, duplicate, err := p.state.check(b)
		if err != nil {
			return -1, err
		}
		if duplicate {
			result := Appended{BaseOffset: seen.lastOffset - int64(seen.lastOffsetDelta), AppendTime: -1}
			if b.LogAppendTime() {
				result.AppendTime = seen.timestamp
			}
			p.await(seen.lastOffset+1, 0, func(err error) { done(result, err) })
			return result.BaseOffset, nil
		}
	}
	base = p.log.End()
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(p.cfg.Epoch)
	result := Appended{BaseOffset: base, AppendTime: -1}
	if b.LogAppendTime() {
		result.AppendTime = b.MaxTimestamp()
	}
	// The wait begins before the write: log.Append itself may announce the batch as
	// durable.
	end := b.NextOffset()
	p.await(end, p.appendedBytes+int64(len(b)), func(err error) { done(result, err) })
	if err := p.log.Append(b); err != nil {
		if p.withdraw(end) {
			return -1, asClientError(err)
		}
		return base, nil // fail or End has called done already
	}
	p.appendedBytes += int64(len(b))
	if b.ProducerID() >= 0 {
		p.state.add(b)
	}
	p.stateEnd = end
	return base, nil
}

// await calls done when the high watermark reaches end. A repetition waits right after
// its original.
func (p *Partition) await(end, bytes int64, done func(error)) {
	p.mu.Lock()
	durable, err := end <= p.highWatermark.Load(), p.service.writable()
	if durable {
		err = p.service.readable() // a failed log keeps what it has
	}
	if durable || err != nil {
		p.mu.Unlock()
		done(err)
		return
	}
	i := len(p.pending)
	for i > 0 && p.pending[i-1].end > end {
		i--
	}
	p.pending = slices.Insert(p.pending, i, pending{end, bytes, done})
	p.mu.Unlock()
}

// Settle waits until everything appended so far is durable, or can no longer become
// durable. It returns nil in both cases, and otherwise the context's error.
func (p *Partition) Settle(ctx context.Context) error {
	settled := make(chan struct{})
	p.await(p.LogEndOffset(), 0, func(error) { close(settled) })
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withdraw ends the wait of a batch that was not written. It reports false if the wait
// has ended already: then done was called.
func (p *Partition) withdraw(end int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.pending); n > 0 && p.pending[n-1].end == end {
		p.pending = p.pending[:n-1]
		return true
	}
	return false
}

// errSequence and errEpoch are what producers get for batches out of order.
var (
	errSequence error = kerr.OutOfOrderSequenceNumber
	errEpoch    error = kerr.InvalidProducerEpoch
)
