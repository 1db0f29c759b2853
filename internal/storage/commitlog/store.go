package commitlog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/token"
	"github.com/botehq/bote/internal/topic"
)

// FlushMode says when a batch counts as durable.
type FlushMode int

const (
	// FlushCommit announces batches after an fsync, which many appends share.
	FlushCommit FlushMode = iota
	// FlushInterval announces at once and syncs on a timer.
	FlushInterval
	// FlushOS announces at once and leaves the writing to the operating system.
	FlushOS
)

// Config is what a Store needs to know.
type Config struct {
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// Dir is the data directory. It is created if missing.
	Dir   string
	Flush FlushMode
	// FlushEvery is the period of FlushInterval; 0 is one second.
	FlushEvery time.Duration
	// FlushGap is the longest time between the beginnings of two rounds of syncs that a
	// round is held back for, where waiting lets it serve more appends. 0 is a millisecond.
	FlushGap time.Duration
	// CheckpointEvery is the period of the checkpoints; 0 is a minute.
	CheckpointEvery time.Duration
	// CheckpointBytes is how many appended bytes cause a checkpoint before
	// CheckpointEvery has passed: a start after a crash reads about as many. 0 is 256
	// MiB with FlushCommit, and 1 GiB where batches are announced before they are
	// synced.
	CheckpointBytes int64
	// RetentionEvery is the period of retention; 0 is five minutes.
	RetentionEvery time.Duration
	// IdleAfter is when unused files are closed; 0 is a minute.
	IdleAfter time.Duration
	// Now is the wall clock for retention; nil is time.Now.
	Now func() time.Time
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer
}

func (c *Config) setDefaults() {
	if c.FS == nil {
		c.FS = vfs.OS{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.FlushEvery = orDefault(c.FlushEvery, time.Second)
	c.FlushGap = orDefault(c.FlushGap, time.Millisecond)
	c.CheckpointEvery = orDefault(c.CheckpointEvery, time.Minute)
	if c.CheckpointBytes <= 0 {
		c.CheckpointBytes = 256 << 20
		if c.Flush != FlushCommit {
			c.CheckpointBytes *= 4
		}
	}
	c.RetentionEvery = orDefault(c.RetentionEvery, 5*time.Minute)
	c.IdleAfter = orDefault(c.IdleAfter, time.Minute)
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Files of a data directory. The names reach disk.
const (
	lockFile  = ".lock"
	cleanFile = ".kafka_cleanshutdown"
)

// Store is one data directory.
type Store struct {
	cfg     Config
	fs      vfs.FS
	log     *slog.Logger
	metrics *metrics
	lock    io.Closer
	volume  volume
	flusher *flusher
	cleaner *cleaner
	clean   bool // the last stop was clean

	appended atomic.Int64 // bytes since the last checkpoint
	room     room

	// checkpointsToken is held by a goroutine that writes checkpoint files, from before it
	// reads the positions of the logs: a later write must not have older positions. It
	// is held during syncs, so only goroutines that write checkpoint files wait for
	// it. An append waits for it in one case only: retention has the append turn to
	// remove everything in the log.
	checkpointsToken token.Token

	mu                   sync.Mutex // guards what follows
	recovery             checkpoint // from the file, and of logs closed since
	starts               checkpoint
	logs                 map[string]*Log
	topicOfDir           map[string]topic.ID // topic IDs of directories that SetAside has seen and nobody has opened yet
	toRecover            map[string]bool     // directories still to be recovered or set aside; no stop is clean while there are any
	deletedLogs          int                 // number of logs deleted since Open
	deletedInCheckpoints int                 // how many of them the checkpoint files on disk no longer name
	closed               bool
}

// Open opens a data directory and creates it if it is missing.
func Open(cfg Config) (*Store, error) {
	cfg.setDefaults()
	s := &Store{cfg: cfg, fs: cfg.FS, log: cfg.Logger, metrics: newMetrics(cfg.Registerer), logs: map[string]*Log{}, checkpointsToken: token.New("checkpoint files")}
	s.flusher = newFlusher(s)
	if err := vfs.MkdirDurably(s.fs, cfg.Dir); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	lock, err := s.fs.Lock(filepath.Join(cfg.Dir, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("another broker is using the data directory %s: stop that one, or choose another log.dirs", cfg.Dir)
	}
	if err != nil {
		return nil, err
	}
	s.lock = lock
	if err := errors.Join(s.volume.open(s.fs, cfg.Dir), s.readState()); err != nil {
		_ = s.closeDirectory() // the first error is what matters
		return nil, err
	}
	s.updateRoom()
	s.cleaner = newCleaner(s)
	go s.flusher.run()
	go s.cleaner.run()
	return s, nil
}

func (s *Store) updateRoom() {
	_, free, err := s.Space()
	s.room.update(free, err)
}

// closeDirectory closes the volume and releases the lock.
func (s *Store) closeDirectory() error {
	var errs []error
	if err := s.volume.close(); err != nil {
		errs = append(errs, fmt.Errorf("close the volume: %w", err))
	}
	if err := s.lock.Close(); err != nil {
		errs = append(errs, fmt.Errorf("release the lock: %w", err))
	}
	return errors.Join(errs...)
}

// readState finds out how the last process ended, and removes the clean marker:
// only a clean stop may put it back.
func (s *Store) readState() error {
	var err error
	if s.recovery, err = readCheckpoint(s.fs, s.cfg.Dir, recoveryPointFile); err != nil {
		s.log.Warn("recovery points unusable; all logs will be checked from their beginning", slog.Any("err", err))
		s.recovery = checkpoint{}
	}
	if s.starts, err = readCheckpoint(s.fs, s.cfg.Dir, logStartFile); err != nil {
		return fmt.Errorf("%w: deleted records would come back; restore or remove the file", err)
	}
	marker := filepath.Join(s.cfg.Dir, cleanFile)
	if s.clean, err = vfs.Exists(s.fs, marker); err != nil {
		return fmt.Errorf("look for the clean shutdown marker: %w", err)
	}
	if s.clean {
		s.proveEnds()
		if err := s.fs.Remove(marker); err != nil {
			return fmt.Errorf("remove the clean shutdown marker: %w", err)
		}
	}
	// A process that was killed may have left names that are not durable yet.
	if err := s.fs.SyncDir(s.cfg.Dir); err != nil {
		return fmt.Errorf("sync %s: %w", s.cfg.Dir, err)
	}
	return s.removeDeleted()
}

// proveEnds lowers each recovery point to the high watermark. After a clean stop
// both files have the ends of the logs, and neither file has a checksum. A log that
// does not reach its recovery point is refused.
func (s *Store) proveEnds() {
	high, err := readCheckpoint(s.fs, s.cfg.Dir, highWatermarkFile)
	if err != nil {
		s.log.Warn("high watermarks unusable; the recovery points count", slog.Any("err", err))
	}
	for name, at := range high {
		if point, ok := s.recovery[name]; ok && at < point {
			s.recovery[name] = at
		}
	}
}

// Clean reports whether the last run ended with a clean stop.
func (s *Store) Clean() bool { return s.clean }

// Dir is the data directory.
func (s *Store) Dir() string { return s.cfg.Dir }

// Space is the size and the free bytes of the volume.
func (s *Store) Space() (total, free int64, err error) { return s.fs.Space(s.cfg.Dir) }

func (s *Store) writeFile(dir, name string, content []byte) error {
	return vfs.WriteFile(s.fs, dir, name, content)
}

// removeFromMap removes a log that has ended from the store's map. It keeps the log's
// recovery point and start for the checkpoint files: the log may be opened again.
func (s *Store) removeFromMap(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := dirName(l.part.Topic, l.part.Index)
	if s.logs[name] != l {
		return
	}
	delete(s.logs, name)
	l.mu.RLock()
	defer l.mu.RUnlock()
	s.recovery[name] = l.disk.recoveryPoint()
	delete(s.starts, name)
	if l.start > l.disk.firstBaseOnDisk {
		s.starts[name] = l.start
	}
	if l.disk.syncedTo < l.end.Load() || l.err != nil {
		s.toRecover[name] = true // it has to be recovered
	}
}

// giveUp ends a log of which nothing may be saved. The next stop is then not clean.
func (s *Store) giveUp(l *Log) {
	s.mu.Lock()
	s.toRecover[dirName(l.part.Topic, l.part.Index)] = true
	s.mu.Unlock()
	l.retire()
}

// Opened returns the open log of a partition, or nil.
func (s *Store) Opened(topic string, index int32) *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logs[dirName(topic, index)]
}

func (s *Store) openLogs() []*Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	logs := make([]*Log, 0, len(s.logs))
	for _, l := range s.logs {
		logs = append(logs, l)
	}
	return logs
}

// Close makes everything durable and writes the checkpoints. Unless a log failed or
// was not recovered, it then writes the marker that lets the next start trust them.
// It may be called twice.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	recovered := len(s.toRecover) == 0
	s.mu.Unlock()
	s.cleaner.close()
	s.flusher.close()
	logs := s.openLogs()
	recovered = recovered && !slices.ContainsFunc(logs, (*Log).halfOpen)
	errs := inParallel(len(logs), func(i int) error {
		release, _ := logs[i].takeDir()
		defer release()
		if err := logs[i].prepareClose(); err != nil {
			return fmt.Errorf("close %s: %w", logs[i].dir, err)
		}
		return nil
	})
	if err := s.flusher.flushNow(logs); err != nil {
		errs = append(errs, err)
	}
	if err := s.WriteCheckpoints(); err != nil {
		errs = append(errs, err)
	}
	for _, l := range logs {
		l.retire()
	}
	if len(errs) == 0 && recovered {
		if err := s.writeFile(s.cfg.Dir, cleanFile, []byte(`{"version":0,"brokerEpoch":-1}`)); err != nil {
			errs = append(errs, fmt.Errorf("write the clean shutdown marker: %w", err))
		}
	}
	return errors.Join(append(errs, s.closeDirectory())...)
}
