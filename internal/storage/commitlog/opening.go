package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// Opening opens logs together, so that what it creates and repairs is made durable
// by few syncs instead of some for each log. The logs may be used after Settle.
// All methods but Settle may be called concurrently.
type Opening struct {
	s *Store

	mu        sync.Mutex // guards what follows
	created   []*Log     // or left by a process that was killed while it created them
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

// load opens a log whose directory is there, or is to be made with more care than
// create does.
func (o *Opening) load(ctx context.Context, l *Log) (storage.Recovered, error) {
	s, name := o.s, dirName(l.part.Topic, l.part.Index)
	failures := s.volume.failures.Load()
	created, err := s.ensureDir(l)
	if err != nil {
		return storage.Recovered{}, err
	}
	s.mu.Lock()
	point, start, unseen := s.recovery[name], s.starts[name], s.unseen[name]
	s.mu.Unlock()
	clean := s.clean && !created && !unseen
	rec, err := l.load(ctx, clean, point, start)
	if err != nil {
		if created {
			err = errors.Join(err, s.undoCreate(l))
		}
		return storage.Recovered{}, err
	}
	if !created && !clean && (l.End() > 0 || l.rewriteMetadata() != nil) { // what cannot be rewritten, Settle syncs by itself
		failures = neverSeen
	}
	l.failuresSeen.Store(failures)
	l.closeIdle(time.Now().Add(time.Hour)) // whoever appends or reads opens what it needs
	o.note(l, created)
	return rec, nil
}

// enter has others find an open log.
func (s *Store) enter(l *Log) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return storage.ErrClosed
	}
	name := dirName(l.part.Topic, l.part.Index)
	s.logs[name] = l
	delete(s.unseen, name)
	return nil
}

// newLog returns a log that is not loaded.
func (s *Store) newLog(p storage.Partition, hooks storage.Hooks) *Log {
	return &Log{
		store: s, part: p, dir: filepath.Join(s.cfg.Dir, dirName(p.Topic, p.Index)), hooks: hooks,
		flushing: make(chan struct{}, 1), inside: make(chan struct{}, 1), changingEpochs: make(chan struct{}, 1),
		log: s.log.With(slog.String("topic", p.Topic), slog.Int("partition", int(p.Index))),
	}
}

// create makes the directory of a log that never was, and its first files, with as few
// calls as that needs: there may be ten thousand of them. It reports false if there is
// a directory, or anything is known of an earlier one.
func (s *Store) create(l *Log) (made bool, err error) {
	if s.knows(dirName(l.part.Topic, l.part.Index)) {
		return false, nil
	}
	failures := s.volume.failures.Load() // read first: these cannot concern files that do not exist yet
	err = s.fs.Mkdir(l.dir)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create %s: %w", l.dir, err)
	}
	if err := l.begin(); err != nil {
		return false, errors.Join(fmt.Errorf("create %s: %w", l.dir, err), s.undoCreate(l))
	}
	l.failuresSeen.Store(failures)
	return true, nil
}

// knows reports whether there was a partition directory of a name, which a crash or the
// checkpoint files may still tell of.
func (s *Store) knows(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.topics[name]
	return found || s.unseen[name] || s.toldOfLocked(name)
}

// toldOfLocked reports whether checkpoint files may have a line of an earlier partition of a
// name.
func (s *Store) toldOfLocked(name string) bool {
	_, start := s.starts[name]
	_, point := s.recovery[name]
	return start || point || s.settled != s.deleted
}

// begin makes the files of a log in its new directory, and has the log be as load
// leaves one without batches.
func (l *Log) begin() error {
	if err := vfs.CreateUnsynced(l.store.fs, filepath.Join(l.dir, metadataFile), l.metadata()); err != nil {
		return err
	}
	if err := vfs.CreateUnsynced(l.store.fs, filepath.Join(l.dir, fileName(0, logSuffix)), nil); err != nil {
		return err
	}
	first := newSegment(l.store.fs, l.dir, 0)
	first.offsets.without()
	first.times.without()
	first.latestKnown = true
	l.segments = []*logSegment{first}
	l.newFiles = true // the leader epochs come with the first batch
	return nil
}

// undoCreate takes the name from what is left of a partition that could not be
// created: the next topic may have it. Removing needs open files, which may be
// what there is none of, so that is for later.
func (s *Store) undoCreate(l *Log) error {
	gone := filepath.Join(s.cfg.Dir, movedName(l.part.Topic, l.part.Index, deletedDirSuffix))
	if err := s.fs.Rename(l.dir, gone); err != nil {
		return fmt.Errorf("undo the creation of %s: %w", l.dir, err)
	}
	s.cleaner.removeLater(gone, 0)
	return nil
}

// noteMade notes a log that create made.
func (o *Opening) noteMade(l *Log) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.created = append(o.created, l)
}

func (o *Opening) note(l *Log, created bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shrunk = o.shrunk || l.End() < l.promised
	if created || !o.s.clean {
		o.created = append(o.created, l)
	}
	if l.synced < l.End() && (o.s.cfg.Flush == FlushCommit || l.hooks.Settings().AlwaysSync) {
		o.recovered = append(o.recovered, l)
	}
}

// Settle makes durable what was created, and what was found in files but may have
// been in the page cache only. Where durability is left to the operating system,
// the latter is too.
func (o *Opening) Settle() error {
	if err := o.settleCreated(); err != nil {
		return err
	}
	err := o.s.flusher.flushNow(o.recovered)
	if err == nil {
		err = o.settleReopened()
	}
	if err == nil && o.shrunk {
		// What is appended from here on was not on the disk before.
		err = o.s.WriteCheckpoints()
	}
	return err
}

// settleCreated makes the directories of new logs durable.
func (o *Opening) settleCreated() error {
	if len(o.created) == 0 {
		return nil
	}
	s, unproved := o.s, o.created
	if len(o.created) >= manyFiles {
		err := s.volume.sync()
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		if err == nil {
			unproved = slices.DeleteFunc(slices.Clone(o.created), (*Log).madeDurably)
		}
	}
	errs := severally(len(unproved), func(i int) error {
		l := unproved[i]
		if err := errors.Join(syncFile(s.fs, filepath.Join(l.dir, metadataFile)), s.fs.SyncDir(l.dir)); err != nil {
			return fmt.Errorf("create %s: %w", l.dir, err)
		}
		return nil
	})
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if len(unproved) == 0 {
		return nil
	}
	if err := s.fs.SyncDir(s.cfg.Dir); err != nil {
		return fmt.Errorf("sync %s: %w", s.cfg.Dir, err)
	}
	return nil
}

// madeDurably reports whether a sync of the volume, just done, proves that the directory of
// the log is durable. That of a log with batches was, before the first of them was appended.
func (l *Log) madeDurably() bool {
	return l.failuresSeen.Load() == l.store.volume.failures.Load() || l.End() > 0
}

// metadataFile ties a partition directory to its topic ID. It reaches disk.
const metadataFile = "partition.metadata"

// ensureDir creates the partition directory, or checks that the one that is
// there belongs to the topic. A directory whose creation a crash interrupted is
// recreated.
func (s *Store) ensureDir(l *Log) (created bool, err error) {
	name := dirName(l.part.Topic, l.part.Index)
	id, ok := s.knownTopic(name)
	if !ok {
		id, ok = s.topicOf(name)
	}
	if ok {
		if id != l.part.ID {
			return false, fmt.Errorf("%s belongs to another topic of that name; move it away", l.dir)
		}
		return false, nil
	}
	if err := l.mustBeEmpty(); err != nil {
		return false, err
	}
	if err := s.forgetNamesake(name); err != nil {
		return false, fmt.Errorf("create %s: %w", l.dir, err)
	}
	if err := s.fs.MkdirAll(l.dir); err != nil {
		return false, fmt.Errorf("create %s: %w", l.dir, err)
	}
	if err := vfs.WriteUnsynced(s.fs, l.dir, metadataFile, l.metadata()); err != nil {
		_ = s.fs.Remove(l.dir) // the first error is what matters; with more in it, it stays
		return false, fmt.Errorf("create %s: %w", l.dir, err)
	}
	return true, nil
}

// metadata is the content of the metadata file.
func (l *Log) metadata() []byte {
	return []byte("version: 0\ntopic_id: " + l.part.ID.String() + "\n")
}

// rewriteMetadata writes the file once more as it is. The process that created it may have
// been killed before it was synced, and the system may have lost it since and told that
// process. Once it is rewritten, a sync of the volume proves it, which costs less than a
// sync of each file.
func (l *Log) rewriteMetadata() error {
	f, err := l.store.fs.OpenFile(filepath.Join(l.dir, metadataFile), os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(l.metadata(), 0)
	return errors.Join(err, f.Close())
}

// forgetNamesake drops from the checkpoints a partition that had the name before:
// a crash, or the disk, may have kept its deletion from doing so.
func (s *Store) forgetNamesake(name string) error {
	s.mu.Lock()
	told := s.toldOfLocked(name)
	s.mu.Unlock()
	if !told {
		return nil
	}
	s.forgetCheckpoints(name)
	return s.WriteCheckpoints()
}

// mustBeEmpty refuses a directory that has batches but does not say whose.
func (l *Log) mustBeEmpty() error {
	records, err := l.store.hasRecords(l.dir)
	if err == nil && records {
		err = fmt.Errorf("%s has records, but its %s does not say of which topic; move it away", l.dir, metadataFile)
	}
	return err
}

// hasRecords reports whether a directory has segments that are not empty. What is
// missing, or no directory, has none.
func (s *Store) hasRecords(dir string) (bool, error) {
	if info, err := s.fs.Stat(dir); os.IsNotExist(err) || err == nil && !info.Dir {
		return false, nil
	}
	names, err := s.fs.Names(dir)
	if err != nil {
		return false, fmt.Errorf("look into %s: %w", dir, err)
	}
	for _, name := range names {
		if base, suffix := parseName(name); base < 0 || suffix != logSuffix {
			continue
		}
		info, err := s.fs.Stat(filepath.Join(dir, name))
		if err != nil {
			return false, fmt.Errorf("look into %s: %w", dir, err)
		}
		if info.Size > 0 {
			return true, nil
		}
	}
	return false, nil
}

// topicOf reads which topic a partition directory belongs to.
func (s *Store) topicOf(dir string) (topic.ID, bool) {
	raw, err := vfs.ReadFile(s.fs, filepath.Join(s.cfg.Dir, dir, metadataFile))
	if err != nil {
		return topic.ID{}, false
	}
	_, text, ok := strings.Cut(string(raw), "topic_id:")
	if !ok {
		return topic.ID{}, false
	}
	id, err := topic.ParseID(strings.TrimSpace(text))
	return id, err == nil
}
