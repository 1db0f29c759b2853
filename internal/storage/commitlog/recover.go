package commitlog

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

// batchCheck is how closely batches are looked at when a segment is recovered.
type batchCheck int

const (
	// checkLengths is enough after a clean stop: everything was synced.
	checkLengths batchCheck = iota
	// checkChecksums is for batches that a crash may have torn.
	checkChecksums
)

// recoverSegment rebuilds the indexes behind the last trusted entry, and cuts the
// file behind the last whole batch. It does not trust entries for offsets at or above
// point. torn reports that it cut something off.
func (l *Log) recoverSegment(ctx context.Context, s *logSegment, point int64, check batchCheck) (torn bool, err error) {
	fileSize := s.size.Load()
	good, end, err := l.scanSegment(ctx, s, point, check)
	if err != nil {
		return false, fmt.Errorf("recover segment %d of %s: %w", s.base, l.dir, err)
	}
	l.end.Store(end)
	s.size.Store(good)
	s.latestKnown = true
	if good == fileSize {
		if check == checkChecksums && good >= reserveFrom {
			err = s.truncateToSize() // how much the last process had reserved is unknown
		}
		return false, err
	}
	// A clean stop leaves nothing behind the end that it records; a crash may.
	if end < l.atOpen.recoveryPoint || check == checkLengths && l.atOpen.recoveryPoint > 0 && end != l.atOpen.recoveryPoint {
		return false, errDamagedBatch(filepath.Join(l.dir, fileName(s.base, logSuffix)), good, end, l.atOpen.recoveryPoint, check)
	}
	l.log.Warn("cut off an incomplete tail", slog.Int64("segment", s.base), slog.Int64("bytes", fileSize-good), slog.Int64("offset", end))
	return true, s.cut(good)
}

// scanSegment adds the batches behind the last trusted index entry to the indexes and
// to the leader epochs. It returns the position and the offset behind the last whole
// batch.
func (l *Log) scanSegment(ctx context.Context, s *logSegment, point int64, check batchCheck) (good, end int64, err error) {
	interval := int64(defaultIndexInterval)
	if l.hooks.Settings != nil {
		interval = l.hooks.Settings().IndexInterval
	}
	body, err := s.open()
	if err != nil {
		return 0, 0, err
	}
	defer s.file.release()
	good, end = s.trustIndexes(ctx, body, point)
	visit := func(b record.Batch, at int64) (bool, error) {
		if b.BaseOffset() < end || !body.Spans(b) {
			return false, nil
		}
		size, _ := record.Size(b)
		s.note(b, at, interval)
		end = b.NextOffset()
		good = at + int64(size)
		if n := len(l.epochs); n == 0 || l.epochs[n-1].Epoch < b.LeaderEpoch() {
			l.epochs = withEpoch(l.epochs, storage.Epoch{Epoch: b.LeaderEpoch(), Start: b.BaseOffset()})
		}
		return true, nil
	}
	if check == checkChecksums {
		err = body.ScanChecksums(ctx, good, l.atOpen.recoveryPoint, visit)
	} else {
		err = body.ScanLengths(ctx, good, visit)
	}
	return good, end, err
}

const defaultIndexInterval = 4096
