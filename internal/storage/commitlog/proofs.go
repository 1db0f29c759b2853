package commitlog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/topic"
)

// Indexes, leader epochs and log starts have no checksum: one flipped bit would send
// readers to wrong places. So they are checked against the batches when they are used.
// An index entry that its batch does not confirm is skipped for the one before it
// (package segment does that), which costs reading some more headers.

// proveStart compares the log start with the leader epochs after a clean stop. The
// first epoch must begin at or above the log start, with no batch between the two.
// Otherwise one of two files without a checksum is wrong; believing the wrong one might
// lose records or bring deleted ones back.
func (l *Log) proveStart() error {
	if len(l.epochs) == 0 || l.End() == l.start {
		return nil
	}
	first := l.epochs[0].Start
	if first >= l.start && !l.epochsLate() {
		return nil
	}
	return fmt.Errorf("the log of %s starts at %d, but its %s begins at %d: one of them is damaged; correct the partition's line in %s, or remove %s if %d is right",
		l.dir, l.start, epochFile, first, logStartFile, epochFile, l.start)
}

// epochsLate reports whether there are batches before the first leader epoch.
func (l *Log) epochsLate() bool {
	first := l.End()
	if len(l.epochs) > 0 {
		first = l.epochs[0].Start
	}
	if first <= l.start {
		return false
	}
	h, err := l.headerAt(l.start)
	return err == nil && h != nil && max(h.BaseOffset(), l.start) < first
}

// headerAt returns a copy of the header of the first batch that ends at or above an
// offset, nil if there is none. It reads little, so it cannot be cancelled. Callers
// count a batch that cannot be read as no proof.
func (l *Log) headerAt(offset int64) (h record.Batch, err error) {
	i, _ := slices.BinarySearchFunc(l.segments, offset+1, func(s *logSegment, o int64) int { return int(min(max(s.base-o, -1), 1)) })
	for _, s := range l.segments[max(i-1, 0):] {
		if h, err := s.headerAt(context.Background(), offset); err != nil || h != nil {
			return h, err
		}
	}
	return nil, nil
}

func (s *logSegment) headerAt(ctx context.Context, offset int64) (h record.Batch, err error) {
	offsets, err := s.offsetIndex()
	if err != nil {
		return nil, err
	}
	body, err := s.open()
	if err != nil {
		return nil, err
	}
	defer s.file.release()
	at, err := body.Find(ctx, offsets, offset)
	if err != nil {
		return nil, err
	}
	err = body.Headers(ctx, at, func(b record.Batch, _ int64) (bool, error) {
		h = slices.Clone(b)
		return false, nil
	})
	return h, err
}

// proveEpochs compares the leader epochs with the batches and rebuilds them if they do
// not agree. After a crash, the epochs from the recovery point on come from the batches
// already. The file may be older than the batches, so it is checked that it lacks none
// below that.
func (l *Log) proveEpochs(ctx context.Context, clean bool) error {
	if clean && len(l.epochs) > 0 && !l.epochsProven() || l.epochsLate() {
		return l.findEpochs(ctx)
	}
	return nil
}

// findEpochs takes the leader epochs from the batches. If the batches contradict each
// other, the file counts: no checksum covers a batch's epoch either.
func (l *Log) findEpochs(ctx context.Context) error {
	var found []storage.Epoch
	back := false
	err := l.Headers(ctx, l.start, func(h record.Batch) error {
		n := len(found)
		back = back || n > 0 && found[n-1].Epoch > h.LeaderEpoch()
		if n == 0 || found[n-1].Epoch < h.LeaderEpoch() {
			found = append(found, storage.Epoch{Epoch: h.LeaderEpoch(), Start: max(h.BaseOffset(), l.start)})
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(found) == 0 || (err != nil || back) && !l.epochsLate() {
		l.log.Warn("leader epochs of batches do not agree with the checkpoint; the checkpoint counts", slog.Any("err", err))
		return nil
	}
	l.log.Warn("leader epoch checkpoint does not agree with the batches; made it anew")
	l.epochs = found
	return nil
}

// epochsProven checks the batches around the beginning of each epoch, and the last
// batch.
func (l *Log) epochsProven() bool {
	for i, e := range l.epochs {
		if len(l.epochs) == 1 {
			break // checking its last batch, below, is enough
		}
		next := l.End()
		if i+1 < len(l.epochs) {
			next = l.epochs[i+1].Start
		}
		from := e.Start
		if i == 0 {
			from = next - 1 // proveStart checks its beginning
		}
		if h, err := l.headerAt(from); err != nil || h != nil && h.BaseOffset() < next && h.LeaderEpoch() != e.Epoch {
			return false
		}
		if i == 0 {
			continue
		}
		if h, err := l.headerAt(e.Start - 1); err != nil || h != nil && h.BaseOffset() < e.Start && (h.LeaderEpoch() >= e.Epoch || h.LastOffset() >= e.Start) {
			return false
		}
	}
	n := len(l.epochs)
	h, err := l.headerAt(l.End() - 1)
	return err == nil && (h == nil || h.LeaderEpoch() == l.epochs[n-1].Epoch)
}

// proveEnd compares the log's end with the recovery point. After a clean stop that was
// the end; after a crash, everything below it was on the disk. After a clean stop it
// also refuses a log start above the end: a clean stop leaves none, and it would remove
// all batches.
func (l *Log) proveEnd(clean bool, start int64) error {
	end := l.End()
	switch {
	case end >= l.atOpen.recoveryPoint && (!clean || end >= start || len(l.segments) == 0):
		return nil
	case !clean:
		l.log.Error("the log is shorter than what the disk had confirmed", slog.Int64("offset", end), slog.Int64("confirmed", l.atOpen.recoveryPoint))
		return nil
	case end < l.atOpen.recoveryPoint:
		return fmt.Errorf("%s ends at %d, but the log ended at %d when it was stopped: bote check tells more; restore its files, or set the partition's line in %s to %d to go on with what is there",
			l.dir, end, l.atOpen.recoveryPoint, recoveryPointFile, end)
	}
	return fmt.Errorf("the log of %s ends at %d, but should start at %d: correct the partition's line in %s", l.dir, end, start, logStartFile)
}

// reportOrphanIndexes looks at indexes in the middle of the log that have no segment. If
// another segment has their first offset, they are leftovers of a removed segment, and
// are removed too. Otherwise their segment was lost, and readers will go on behind the
// hole.
func (l *Log) reportOrphanIndexes(o dirContents) (removed bool, err error) {
	for _, name := range slices.Sorted(maps.Keys(o.hasIndex)) {
		base, suffix := parseName(name)
		i, there := slices.BinarySearchFunc(l.segments, base, func(s *logSegment, base int64) int { return cmp.Compare(s.base, base) })
		if there || i == 0 || i == len(l.segments) {
			continue
		}
		h, err := l.headerAt(base)
		switch {
		case err != nil || h == nil:
			l.log.Error("an index has no segment, and the records of its offsets cannot be read", slog.String("index", name), slog.Any("err", err))
		case h.BaseOffset() <= base:
			if err := removeIfThere(l.store.fs, filepath.Join(l.dir, name)); err != nil {
				return removed, err
			}
			removed = true
		case suffix == indexSuffix:
			l.log.Error("a segment is missing, and with it all records of these offsets: restore its file, bote check tells more", slog.Int64("from", base), slog.Int64("to", h.BaseOffset()-1))
		}
	}
	return removed, nil
}

// errDamagedBatch refuses to cut a log below the end that was on the disk: the batches
// behind the damaged one were acknowledged and may be good.
func errDamagedBatch(name string, position, offset, end int64, check batchCheck) error {
	what := fmt.Sprintf("the log ended at %d when it was stopped", end)
	if check == checkChecksums {
		what = fmt.Sprintf("everything below %d was on the disk before the crash", end)
	}
	return fmt.Errorf("%s is damaged at byte %d, offset %d, and %s: bote check tells more; restore the file, or set the partition's line in %s to %d to have the log cut there",
		name, position, offset, what, recoveryPointFile, offset)
}

// errOtherTopic refuses a directory whose topic ID, after a clean stop, is not that of
// the topic of its name. A crash can leave such a directory, a clean stop cannot, so
// the file is damaged.
func errOtherTopic(dir string, says, is topic.ID) error {
	return fmt.Errorf("%s says in %s that it belongs to topic ID %s, but that of the topic is %s: correct the file, or move the directory away", dir, metadataFile, says, is)
}
