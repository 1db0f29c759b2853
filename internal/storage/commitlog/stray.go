package commitlog

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// SetAside renames partition directories that belong to no topic, for example
// because the broker was killed while it deleted one: their names may be needed.
// They keep their data under a name that ends in -stray, as in Kafka.
func (s *Store) SetAside(known func(name string, id topic.ID) bool) error {
	entries, err := s.fs.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", s.cfg.Dir, err)
	}
	moved := false
	for _, e := range entries {
		name, _, ok := splitDir(e.Name)
		if !e.Dir || !ok {
			continue
		}
		id, ok := s.topicOf(e.Name)
		if !ok || known(name, id) {
			continue
		}
		aside := e.Name + "." + strings.ReplaceAll(id.String(), "-", "_") + "-stray"
		s.log.Warn("partition directory belongs to no topic; setting it aside", slog.String("directory", e.Name), slog.String("renamed", aside))
		if err := s.fs.Rename(filepath.Join(s.cfg.Dir, e.Name), filepath.Join(s.cfg.Dir, aside)); err != nil {
			return fmt.Errorf("set %s aside: %w", e.Name, err)
		}
		s.forgetCheckpoints(e.Name)
		moved = true
	}
	if !moved {
		return nil
	}
	if err := s.fs.SyncDir(s.cfg.Dir); err != nil {
		return fmt.Errorf("sync %s: %w", s.cfg.Dir, err)
	}
	return s.WriteCheckpoints()
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
