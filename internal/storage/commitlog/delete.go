package commitlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/botehq/bote/internal/topic"
)

// Delete ends logs and removes their directories after their delay. First it renames
// the directories and removes them from the checkpoints, so that a new topic may
// have the name at once. A directory that cannot be renamed does not keep the others
// from being deleted. It keeps the next stop from being clean, and the start after
// that sets it aside.
func (s *Store) Delete(logs []*Log) error { return errors.Join(s.DeleteEach(logs)...) }

// DeleteEach is Delete, but returns the error of each log.
func (s *Store) DeleteEach(logs []*Log) []error {
	errs := make([]error, len(logs))
	for i, l := range logs {
		errs[i] = s.endAndRename(l)
	}
	err := s.fs.SyncDir(s.cfg.Dir)
	if err != nil {
		err = fmt.Errorf("sync %s: %w", s.cfg.Dir, err)
	} else {
		for i, l := range logs {
			name := dirName(l.part.Topic, l.part.Index)
			s.forgetCheckpoints(name)
			if errs[i] == nil {
				s.dealtWith(name)
			}
		}
		err = s.WriteCheckpoints()
	}
	if err != nil {
		for i := range errs {
			errs[i] = errors.Join(errs[i], err)
		}
	}
	return errs
}

// endAndRename ends a log in its append turn, since an append under way might roll. It
// then takes the token of the directory, so that no other goroutine works there, and
// renames the directory.
func (s *Store) endAndRename(l *Log) error {
	l.inTurn(l.retire)
	release, _ := l.takeDir()
	defer release()
	gone := filepath.Join(s.cfg.Dir, movedName(l.part.Topic, l.part.Index, deletedDirSuffix))
	err := s.fs.Rename(l.dir, gone)
	s.mu.Lock()
	s.deletedLogs++
	if err != nil {
		s.toRecover[dirName(l.part.Topic, l.part.Index)] = true
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("delete %s: %w", l.dir, err)
	}
	s.cleaner.removeLater(gone, time.Duration(l.hooks.Settings().FileDeleteMs)*time.Millisecond)
	return nil
}

// forgetCheckpoints drops the recovery point and the log start that are kept for a
// partition that is not open: another partition may get its name.
func (s *Store) forgetCheckpoints(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.starts, name)
	delete(s.recovery, name)
}

// Suffixes of partition directories that must not be opened any more. They reach
// disk, and are Kafka's.
const (
	deletedDirSuffix = "-delete"
	strayDirSuffix   = "-stray"
)

// movedName is a new, unique name for a directory that must not be opened any more.
// It cuts the end off a long topic name, as Kafka's UnifiedLog does.
func movedName(topicName string, index int32, suffix string) string {
	unique := topic.NewID()
	end := fmt.Sprintf("-%d.%s%s", index, hex.EncodeToString(unique[:]), suffix)
	return topicName[:min(len(topicName), maxFileName-len(end))] + end
}

// maxFileName is the longest file name, in bytes, that common file systems allow.
const maxFileName = 255

// removeDeleted removes partition directories whose deletion was under way. After an
// unclean stop it also notes all partition directories in toRecover.
func (s *Store) removeDeleted() error {
	names, err := s.fs.Names(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", s.cfg.Dir, err)
	}
	s.toRecover = map[string]bool{}
	for _, name := range names {
		if _, _, ok := splitDir(name); ok && !s.clean {
			s.toRecover[name] = true
		}
		if strings.HasSuffix(name, deletedDirSuffix) {
			if err := s.fs.RemoveAll(filepath.Join(s.cfg.Dir, name)); err != nil {
				s.log.Warn("deleted partition not removed; the next start will try again", slog.String("directory", name), slog.Any("err", err))
			}
		}
	}
	return nil
}
