package commitlog

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/token"
)

// Opening opens logs together, so that few syncs make durable what it creates and
// repairs, instead of some for each log. The logs may be used after Settle. All
// methods but Settle and Abandon may be called concurrently.
type Opening struct {
	s *Store

	mu        sync.Mutex // guards what follows
	created   []*Log     // created here, or found after a crash: the last process may have been killed while it created them
	recovered []*Log
	reopened  []reopened
	shrunk    bool // a log ends below its recovery point
}

// NewOpening begins to open logs.
func (s *Store) NewOpening() *Opening { return &Opening{s: s} }

// OpenLog opens the log of one partition, creating it if it is missing.
func (s *Store) OpenLog(ctx context.Context, p storage.Partition, hooks storage.Hooks) (*Log, storage.Recovered, error) {
	o := s.NewOpening()
	l, rec, err := o.OpenLog(ctx, p, hooks)
	if err != nil {
		return nil, rec, err
	}
	if err := o.Settle(); err != nil {
		l.retire()
		return nil, rec, err
	}
	return l, rec, nil
}

// OpenLog opens the log of a partition, creating it if it is missing.
func (o *Opening) OpenLog(ctx context.Context, p storage.Partition, hooks storage.Hooks) (*Log, storage.Recovered, error) {
	l := o.s.newLog(p, hooks)
	made, err := o.s.create(l)
	if err != nil {
		return nil, storage.Recovered{}, err
	}
	rec := storage.Recovered{}
	if made {
		o.noteMade(l)
	} else if rec, err = o.load(ctx, l); err != nil {
		return nil, storage.Recovered{}, err
	}
	if err := o.s.enter(l); err != nil {
		return nil, storage.Recovered{}, err
	}
	return l, rec, nil
}

// load opens a log whose directory exists, or which needs more care than create
// takes: there may have been a log of this name before.
func (o *Opening) load(ctx context.Context, l *Log) (storage.Recovered, error) {
	s, name := o.s, dirName(l.part.Topic, l.part.Index)
	failures := s.volume.failures.Load()
	created, err := s.ensureDir(l)
	if err != nil {
		return storage.Recovered{}, err
	}
	s.mu.Lock()
	point, start, unseen := s.recovery[name], s.starts[name], s.toRecover[name]
	s.mu.Unlock()
	clean := s.clean && !created && !unseen
	rec, err := l.load(ctx, clean, point, start)
	if err != nil {
		if created {
			err = errors.Join(err, s.undoCreate(l))
		}
		return storage.Recovered{}, err
	}
	if !created && !clean && (l.End() > 0 || l.rewriteMetadata() != nil) { // a file that cannot be rewritten, Settle syncs by itself
		failures = neverSeen
	}
	l.failuresSeen.Store(failures)
	l.closeIdle(time.Now().Add(time.Hour)) // the first append or read opens what it needs
	o.note(l, created)
	return rec, nil
}

// enter puts an open log into the store's map.
func (s *Store) enter(l *Log) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return storage.ErrClosed
	}
	name := dirName(l.part.Topic, l.part.Index)
	s.logs[name] = l
	delete(s.toRecover, name)
	return nil
}

// newLog returns a log that is not loaded.
func (s *Store) newLog(p storage.Partition, hooks storage.Hooks) *Log {
	return &Log{
		store: s, part: p, dir: filepath.Join(s.cfg.Dir, dirName(p.Topic, p.Index)), hooks: hooks,
		flushing: token.New("flush of a log"), dirToken: token.New("directory of a log"), changingEpochs: token.New("leader epochs of a log"),
		log: s.log.With(slog.String("topic", p.Topic), slog.Int("partition", int(p.Index))),
	}
}

// noteMade notes a log that create made, for Settle.
func (o *Opening) noteMade(l *Log) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.created = append(o.created, l)
}

func (o *Opening) note(l *Log, created bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shrunk = o.shrunk || l.End() < l.atOpen.recoveryPoint
	if created || !o.s.clean {
		o.created = append(o.created, l)
	}
	if l.disk.syncedTo < l.End() && (o.s.cfg.Flush == FlushCommit || l.hooks.Settings().AlwaysSync) {
		o.recovered = append(o.recovered, l)
	}
}

// Settle makes durable what was created, and batches that were found in files but
// may have been in the page cache only. Where batches do not wait for syncs
// ([FlushInterval], [FlushOS], no AlwaysSync), it leaves those batches to the timer
// or the operating system.
func (o *Opening) Settle() error {
	if err := o.settleCreated(); err != nil {
		return err
	}
	err := o.s.flusher.flushNow(o.recovered)
	if err == nil {
		err = o.settleReopened()
	}
	if err == nil && o.shrunk {
		// The recovery point on the disk lies above the log's end, and must not vouch for
		// batches that are appended from here on.
		err = o.s.WriteCheckpoints()
	}
	return err
}
