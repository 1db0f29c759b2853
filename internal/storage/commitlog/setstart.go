package commitlog

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/storage"
)

// SetStart forgets everything below an offset: first on the disk, then for readers.
func (l *Log) SetStart(ctx context.Context, start int64) error {
	return l.SetStarts(ctx, []storage.NewStart{{Log: l, Start: start}})[0]
}

// SetStarts implements storage.StartsSetter. It writes the file with the log starts
// once for all logs. If a log is named twice, the larger start counts.
func (l *Log) SetStarts(ctx context.Context, moves []storage.NewStart) []error {
	about := map[*Log]int64{}
	for _, m := range moves {
		of := m.Log.(*Log) // the contract says: of this engine
		about[of] = max(about[of], m.Start)
	}
	failed := l.store.setStarts(ctx, about)
	errs := make([]error, len(moves))
	for i, m := range moves {
		errs[i] = failed[m.Log.(*Log)]
	}
	return errs
}

// setStarts moves the starts of logs, and returns the errors by log.
func (s *Store) setStarts(ctx context.Context, about map[*Log]int64) map[*Log]error {
	failed := map[*Log]error{}
	all := func(err error) map[*Log]error {
		for l := range about {
			failed[l] = err
		}
		return failed
	}
	// Only this function holds several directories. It takes them in one order, so two
	// calls cannot wait for each other.
	for _, l := range slices.SortedFunc(maps.Keys(about), func(a, b *Log) int { return strings.Compare(a.dir, b.dir) }) {
		release, err := l.waitForDir(ctx)
		if err != nil {
			return all(err)
		}
		defer release()
	}
	if err := s.checkpointsToken.TakeContext(ctx); err != nil {
		return all(err)
	}
	defer s.checkpointsToken.Give()
	for l, start := range about {
		l.mu.RLock()
		err, before := l.aliveLocked(), l.start
		l.mu.RUnlock()
		if err != nil {
			failed[l] = err
		}
		if err != nil || start <= before {
			delete(about, l)
		}
	}
	if len(about) == 0 {
		return failed
	}
	if err := s.writeStarts(about); err != nil {
		return all(err)
	}
	for l, start := range about {
		l.mu.Lock()
		l.start = max(l.start, start)
		l.mu.Unlock()
		l.hooks.StartMoved(start)
		if err := l.trimEpochs(); err != nil {
			failed[l] = err
		}
	}
	return failed
}
