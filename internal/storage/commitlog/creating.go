package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// create makes the directory and the first files of a log that never existed, with as few
// system calls as possible: there may be ten thousand logs. It returns false if the
// directory exists, or the store knows anything of an earlier one of that name.
func (s *Store) create(l *Log) (made bool, err error) {
	if s.mayHaveExisted(dirName(l.part.Topic, l.part.Index)) {
		return false, nil
	}
	failures := s.volume.failures.Load() // read first: such failures cannot concern files that do not exist yet
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

// mayHaveExisted reports whether there may have been a partition directory of this name: SetAside or
// a crash left one, or the checkpoint files may still have a line of it.
func (s *Store) mayHaveExisted(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.topicOfDir[name]
	return found || s.toRecover[name] || s.inCheckpointsLocked(name)
}

// inCheckpointsLocked reports whether the checkpoint files may still have a line of an earlier
// partition of this name. The caller holds mu.
func (s *Store) inCheckpointsLocked(name string) bool {
	_, start := s.starts[name]
	_, point := s.recovery[name]
	return start || point || s.deletedInCheckpoints != s.deletedLogs
}

// begin makes the files of a log in its new directory, and puts the log into the state in
// which load leaves one without batches.
func (l *Log) begin() error {
	if err := vfs.CreateUnsynced(l.store.fs, filepath.Join(l.dir, metadataFile), l.metadata()); err != nil {
		return err
	}
	if err := vfs.CreateUnsynced(l.store.fs, filepath.Join(l.dir, fileName(0, logSuffix)), nil); err != nil {
		return err
	}
	first := newSegment(l.store.fs, l.dir, 0)
	first.offsets.setNoFile()
	first.times.setNoFile()
	first.latestKnown = true
	l.segments = []*logSegment{first}
	l.disk.unsyncedNamesOrIndexes = true // the first append writes the leader epochs
	return nil
}

// undoCreate renames the directory of a partition that could not be created, so that the
// next topic may have the name. The cleaner removes the directory later: removing needs
// open files, and the creation may have failed for lack of those.
func (s *Store) undoCreate(l *Log) error {
	gone := filepath.Join(s.cfg.Dir, movedName(l.part.Topic, l.part.Index, deletedDirSuffix))
	if err := s.fs.Rename(l.dir, gone); err != nil {
		return fmt.Errorf("undo the creation of %s: %w", l.dir, err)
	}
	s.cleaner.removeLater(gone, 0)
	return nil
}

// ensureDir creates the partition directory, or checks that an existing one belongs to the
// topic. If a crash interrupted a directory's creation, it is created again.
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
		_ = s.fs.Remove(l.dir) // the first error is what matters; a directory with more in it stays
		return false, fmt.Errorf("create %s: %w", l.dir, err)
	}
	return true, nil
}

// metadata is the content of the metadata file.
func (l *Log) metadata() []byte {
	return []byte("version: 0\ntopic_id: " + l.part.ID.String() + "\n")
}

// rewriteMetadata writes the metadata file again as it is. The process that created the
// file may have been killed before it synced the file. The kernel may have lost the bytes
// since, and may have reported that to that process only. Once the file is written again, a
// sync of the volume proves that it is durable, which costs less than a sync of each file.
func (l *Log) rewriteMetadata() error {
	f, err := l.store.fs.OpenFile(filepath.Join(l.dir, metadataFile), os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(l.metadata(), 0)
	return errors.Join(err, f.Close())
}

// forgetNamesake drops an earlier partition of this name from the checkpoints: a crash, or
// an error of the disk, may have kept its deletion from doing so.
func (s *Store) forgetNamesake(name string) error {
	s.mu.Lock()
	told := s.inCheckpointsLocked(name)
	s.mu.Unlock()
	if !told {
		return nil
	}
	s.forgetCheckpoints(name)
	return s.WriteCheckpoints()
}

// metadataFile ties a partition directory to its topic ID. It reaches disk.
const metadataFile = "partition.metadata"

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
	errs := inParallel(len(unproved), func(i int) error {
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

// madeDurably reports whether the sync of the volume that has just succeeded proves that
// the log's directory is durable. A log with batches had a durable directory before the
// first of them was appended.
func (l *Log) madeDurably() bool {
	return l.failuresSeen.Load() == l.store.volume.failures.Load() || l.End() > 0
}

// mustBeEmpty refuses a directory that has records but does not say of which topic.
func (l *Log) mustBeEmpty() error {
	records, err := l.store.hasRecords(l.dir)
	if err == nil && records {
		err = fmt.Errorf("%s has records, but its %s does not say of which topic; move it away", l.dir, metadataFile)
	}
	return err
}

// hasRecords reports whether a directory has segments that are not empty. A missing one, or
// a name that is no directory, has none.
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
