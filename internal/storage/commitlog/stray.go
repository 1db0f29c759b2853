package commitlog

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/botehq/bote/internal/topic"
)

// SetAside renames partition directories that belong to no topic, for example because
// the broker was killed while it deleted one: a new topic may need their names. They
// keep their data under a name that ends in -stray, as in Kafka. After a clean stop, a
// directory whose topic ID is not that of the topic of its name is an error.
func (s *Store) SetAside(known func(name string) (topic.ID, bool)) error {
	names, err := s.fs.Names(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", s.cfg.Dir, err)
	}
	moved := false
	topics := make(map[string]topic.ID, len(names))
	for _, dir := range names {
		name, index, ok := splitDir(dir)
		if !ok {
			continue
		}
		id, ok := s.topicOf(dir)
		if !ok {
			s.skipDir(dir)
			continue
		}
		is, ok := known(name)
		if ok && is == id {
			topics[dir] = id
			continue
		}
		if ok && s.clean {
			return errOtherTopic(filepath.Join(s.cfg.Dir, dir), id, is)
		}
		aside := movedName(name, index, strayDirSuffix)
		s.log.Warn("partition directory belongs to no topic; setting it aside", slog.String("directory", dir), slog.String("renamed", aside))
		if err := s.fs.Rename(filepath.Join(s.cfg.Dir, dir), filepath.Join(s.cfg.Dir, aside)); err != nil {
			return fmt.Errorf("set %s aside: %w", dir, err)
		}
		s.forgetCheckpoints(dir)
		s.dealtWith(dir)
		moved = true
	}
	s.mu.Lock()
	s.topicOfDir = topics
	s.mu.Unlock()
	if !moved {
		return nil
	}
	if err := s.fs.SyncDir(s.cfg.Dir); err != nil {
		return fmt.Errorf("sync %s: %w", s.cfg.Dir, err)
	}
	return s.WriteCheckpoints()
}

// skipDir looks at a directory that does not say which topic it belongs to. If it has
// no records, its creation was interrupted, and nothing in it has to be recovered.
func (s *Store) skipDir(dir string) {
	records, err := s.hasRecords(filepath.Join(s.cfg.Dir, dir))
	if err == nil && !records {
		s.dealtWith(dir)
		return
	}
	s.log.Warn("partition directory does not say of which topic it is, and may have records; move it away", slog.String("directory", dir), slog.Any("err", err))
}

// dealtWith notes that a directory no longer keeps a stop from being clean.
func (s *Store) dealtWith(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.toRecover, dir)
}

// knownTopic returns, once, the topic ID that SetAside read from a directory.
func (s *Store) knownTopic(dir string) (topic.ID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.topicOfDir[dir]
	delete(s.topicOfDir, dir)
	return id, ok
}
