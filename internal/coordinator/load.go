package coordinator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/record"
)

const (
	loadBytes   = 1 << 20   // replay reads this many bytes at once
	unpackLimit = 256 << 20 // largest size of one batch's records when decompressed, in bytes
)

// errOpenRefused means that [Logs.Open] returned a kerr. The shard does not try again by
// itself; the next operation does.
var errOpenRefused = errors.New("log refused")

// load opens the log and replays it. It reports whether the log was empty. Its errors
// are kerrs.
func (s *Shard) load(ctx context.Context) (empty bool, err error) {
	s.mu.Lock()
	s.reloadRequested = false
	s.mu.Unlock()
	log, err := s.cfg.Logs.Open(ctx, s.partition)
	if err != nil {
		if _, ok := errors.AsType[*kerr.Error](err); ok {
			return false, fmt.Errorf("open partition %d: %w: %w", s.partition, errOpenRefused, err)
		}
		return false, fmt.Errorf("%w: open partition %d: %w", kerr.CoordinatorNotAvailable, s.partition, err)
	}
	s.log = log
	s.machine = s.newState(s)
	start, high, err := log.Bounds()
	if err != nil {
		return false, fmt.Errorf("%w: load partition %d: %w", kerr.CoordinatorNotAvailable, s.partition, err)
	}
	if high <= start {
		return true, nil
	}
	s.beginLoading()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return false, kerr.NotCoordinator
	}
	began := time.Now()
	if err := s.replay(ctx, start); err != nil {
		return false, fmt.Errorf("%w: load partition %d: %w", kerr.CoordinatorNotAvailable, s.partition, err)
	}
	took := time.Since(began)
	s.metrics.loads.Observe(took.Seconds())
	s.cfg.Logger.Debug("coordinator shard loaded", slog.String("coordinator", s.cfg.Name),
		slog.Int("partition", int(s.partition)), slog.Duration("took", took))
	return false, nil
}

// beginLoading enters loading: operations are refused from here on, except items with
// wait.
func (s *Shard) beginLoading() {
	s.enter(loading)
	s.mu.Lock()
	items := s.items
	s.items = nil
	s.mu.Unlock()
	s.giveBack(items, kerr.CoordinatorLoadInProgress)
}

// unreadable describes the records that a replay skipped because the machine could not
// read them. Anyone with the right to write to the topic can put such records there.
// Replay skips them, because otherwise the shard could never be loaded again. A batch
// that cannot be read, on the other hand, ends the replay with an error.
type unreadable struct {
	count int
	first int64 // offset of the first such record
	err   error // the machine's error for the first
}

// replay applies the log from an offset to its high watermark.
func (s *Shard) replay(ctx context.Context, next int64) error {
	var bad unreadable
	defer s.report(&bad)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, high, err := s.log.Bounds(); err != nil || next >= high {
			return err //nolint:wrapcheck // the caller says what was loaded
		}
		p, err := s.log.ReadAt(ctx, next, loadBytes)
		if err != nil {
			return fmt.Errorf("read at %d: %w", next, err)
		}
		if len(p) == 0 {
			return nil
		}
		for len(p) > 0 {
			var b record.Batch
			if b, p, err = record.Split(p); err != nil {
				return fmt.Errorf("batch at %d: %w", next, err)
			}
			if err := s.replayBatch(b, next, &bad); err != nil {
				return fmt.Errorf("batch at %d: %w", b.BaseOffset(), err)
			}
			next = max(next, b.NextOffset())
		}
	}
}

// report logs one line about the records that a replay skipped.
func (s *Shard) report(bad *unreadable) {
	if bad.count > 0 {
		s.cfg.Logger.Error("records that cannot be read are skipped", slog.String("coordinator", s.cfg.Name),
			slog.Int("partition", int(s.partition)), slog.Int64("offset", bad.first), slog.Int("records", bad.count), slog.Any("err", bad.err))
	}
}

// replayBatch applies the records of a batch, except those below offset from.
func (s *Shard) replayBatch(b record.Batch, from int64, bad *unreadable) error {
	if !b.ValidCRC() {
		return errors.New("wrong checksum")
	}
	payload, err := record.Decompress(b.Codec(), b.Payload(), unpackLimit)
	if err != nil {
		return err
	}
	producer := int64(record.NoProducer)
	if b.Transactional() {
		producer = b.ProducerID()
	}
	for r, err := range record.Records(payload, b.Count()) {
		if err != nil {
			return err
		}
		offset := b.BaseOffset() + int64(r.OffsetDelta)
		switch {
		case offset < from:
		case b.Control():
			if commit, ok := marker(r.Key); ok {
				s.machine.EndTransaction(b.ProducerID(), commit)
			}
		default:
			if err := s.machine.Apply(Record{Offset: offset, ProducerID: producer, Key: r.Key, Value: r.Value}); err != nil {
				if bad.count == 0 {
					bad.first, bad.err = offset, err
				}
				bad.count++
			}
		}
	}
	return nil
}

// marker reads the key of a control record: version, then 0 for abort and 1 for
// commit. For other control records ok is false.
func marker(key []byte) (commit, ok bool) {
	if len(key) < 4 {
		return false, false
	}
	kind := binary.BigEndian.Uint16(key[2:])
	return kind == 1, kind <= 1
}
