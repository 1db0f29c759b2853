package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// CheckConfig says what [Check] checks.
type CheckConfig struct {
	// FS is the file system; nil is the operating system's. Check only reads it.
	FS vfs.FS
	// Dir is the data directory. No broker may be using it.
	Dir string
	// Topic restricts the check to the partitions of one topic; empty is all.
	Topic string
	// Shallow leaves out the records inside the batches. Headers, checksums and
	// everything around the batches are still checked.
	Shallow bool
	// Workers is how many segments are read at once; 0 is one per processor.
	Workers int
	// Metadata returns the topics that the metadata knows, and findings about the
	// metadata itself. The topics are nil if there is no metadata or it cannot be
	// read. Check calls it when no broker can be using the directory. A nil Metadata
	// is no metadata.
	Metadata func() (map[string]CheckTopic, []Finding, error)
	// Progress counts how far the check is; it may be nil.
	Progress *CheckProgress
}

// CheckTopic is what the metadata says about a topic.
type CheckTopic struct {
	ID         topic.ID
	Partitions int32
	Compacted  bool // its cleanup.policy has compact
}

// CheckProgress counts bytes of segments. It may be read at any time.
type CheckProgress struct{ done, total atomic.Int64 }

// Bytes returns how many bytes have been checked, and how many there are.
func (p *CheckProgress) Bytes() (done, total int64) { return p.done.Load(), p.total.Load() }

// Finding is one thing that a check found. Damage is what no crash can explain. The
// rest are remarks: what a crash left and the next start repairs.
type Finding struct {
	Damage    bool   `json:"damage"`
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"`
	// File is the path below the data directory.
	File string `json:"file"`
	// Position is the byte in the file where the thing begins, -1 if it has none.
	Position int64 `json:"position"`
	// Entry is the index of an entry or line of the file, -1 if it has none.
	Entry int64 `json:"entry"`
	// Offset is the offset of the record or batch, -1 if it has none.
	Offset int64  `json:"offset"`
	Text   string `json:"text"`
}

// PartitionReport is what a check found in one partition directory.
type PartitionReport struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Segments  int       `json:"segments"`
	Batches   int64     `json:"batches"`
	Records   int64     `json:"records"`
	Bytes     int64     `json:"bytes"`
	Start     int64     `json:"log_start_offset"`
	End       int64     `json:"log_end_offset"`
	Epochs    int       `json:"leader_epochs"`
	Damaged   int64     `json:"damaged"` // findings that are damage, including those not listed
	Remarks   int64     `json:"remarks"`
	Findings  []Finding `json:"findings"` // at most maxFindings

	epochs []storage.Epoch
}

// CheckReport is what a check found.
type CheckReport struct {
	Dir        string             `json:"directory"`
	ClusterID  string             `json:"cluster_id,omitempty"`
	Clean      bool               `json:"clean_stop"`
	Used       bool               `json:"used"` // a broker has run on the directory
	Partitions []*PartitionReport `json:"partitions"`
	Findings   []Finding          `json:"findings"` // of the directory itself
}

// Damaged is the number of findings that are damage.
func (r *CheckReport) Damaged() int64 {
	var n int64
	for _, f := range r.Findings {
		if f.Damage {
			n++
		}
	}
	for _, p := range r.Partitions {
		n += p.Damaged
	}
	return n
}

// maxFindings bounds how many findings are kept of a partition, and of a segment.
const maxFindings = 100

// ErrNothingToCheck is wrapped by the error of [Check] if there is no data
// directory, or no such topic in it.
var ErrNothingToCheck = errors.New("nothing to check")

// ErrInUse is wrapped by the error of [Check] if a broker uses the directory: what
// it is about to write would look like damage. CheckConfig.Metadata may return it.
var ErrInUse = errors.New("a broker is using the data directory")

// refusedError is an error of [Check] that has its own text and wraps one of the errors
// above.
type refusedError struct {
	text string
	of   error
}

func (r *refusedError) Error() string { return r.text }
func (r *refusedError) Unwrap() error { return r.of }

func nothingToCheck(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...), ErrNothingToCheck}
}

func inUse(dir string) error {
	return &refusedError{fmt.Sprintf("a broker is using %s: stop it first, or check a copy of the directory", dir), ErrInUse}
}

// checker is one run of Check.
type checker struct {
	cfg      CheckConfig
	fs       vfs.FS
	report   *CheckReport
	recovery checkpoint // nil if the file is unusable
	starts   checkpoint
	high     checkpoint
	topics   map[string]CheckTopic
	own      bool // the directory was written by this engine, not by Apache Kafka
}

// Check reads everything in a data directory that no broker has open, and reports
// what is wrong. It writes nothing. The memory that it needs grows only with the
// number of segments, and by little for each. An error means that the directory
// could not be checked; damage is in the report.
func Check(ctx context.Context, cfg CheckConfig) (*CheckReport, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.OS{}
	}
	if cfg.Progress == nil {
		cfg.Progress = new(CheckProgress)
	}
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	unlock, err := lockOut(cfg)
	if err != nil {
		return nil, err
	}
	defer unlock()
	c := &checker{cfg: cfg, fs: cfg.FS, report: &CheckReport{Dir: cfg.Dir, Partitions: []*PartitionReport{}, Findings: []Finding{}}}
	if cfg.Metadata != nil {
		c.topics, c.report.Findings, err = cfg.Metadata()
		if errors.Is(err, ErrInUse) {
			return nil, inUse(cfg.Dir)
		}
		if err != nil {
			return nil, err
		}
	}
	dirs, err := c.directory()
	if err != nil {
		return nil, err
	}
	parts, err := c.list(ctx, dirs)
	if err != nil {
		return nil, err
	}
	if err := c.segments(ctx, parts); err != nil {
		return nil, err
	}
	for _, p := range parts {
		c.report.Partitions = append(c.report.Partitions, p.finish())
	}
	return c.report, nil
}

// lockOut keeps brokers from starting on the directory during the check. Its lock
// does not need to write. A directory without a lock file, such as a copy, or whose
// lock file may not be read, is checked without the lock.
func lockOut(cfg CheckConfig) (unlock func(), err error) {
	if _, real := cfg.FS.(vfs.OS); !real {
		return func() {}, nil
	}
	f, err := os.Open(filepath.Join(cfg.Dir, lockFile))
	if err != nil {
		return func() {}, nil //nolint:nilerr // what is wrong with the directory shows when it is listed
	}
	taken, err := lockToRead(f)
	if err == nil && !taken {
		err = inUse(cfg.Dir)
	}
	if err != nil {
		_ = f.Close() // the lock error is what matters
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// directory checks the files of the data directory and returns the partition
// directories.
func (c *checker) directory() (dirs []string, err error) {
	entries, err := c.fs.ReadDir(c.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nothingToCheck("%s does not exist", c.cfg.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", c.cfg.Dir, err)
	}
	if !c.isDataDir(entries) {
		return nil, nothingToCheck("%s is not a data directory: it has no %s", c.cfg.Dir, metaFile)
	}
	c.identity()
	for _, e := range entries {
		if e.Dir {
			if c.partitionDir(e.Name) {
				dirs = append(dirs, e.Name)
			}
			continue
		}
		c.file(e)
	}
	c.recovery = c.readCheckpoint(recoveryPointFile, "the next start checks every log from its beginning")
	c.starts = c.readCheckpoint(logStartFile, "the broker refuses to start with it")
	c.high = c.readCheckpoint(highWatermarkFile, "the next checkpoint writes it anew")
	c.missing(dirs)
	if len(dirs) == 0 && c.cfg.Topic != "" {
		return nil, nothingToCheck("%s has no partition of topic %s", c.cfg.Dir, c.cfg.Topic)
	}
	return dirs, nil
}

// isDataDir reports whether a directory has an identity, another file that only a
// broker writes, or a partition. Many other directories have names like those of
// partitions, such as dbus-1, so a partition counts by the files in it.
func (c *checker) isDataDir(entries []vfs.Info) bool {
	return slices.ContainsFunc(entries, func(e vfs.Info) bool {
		if !e.Dir {
			return known[e.Name] >= identifies
		}
		_, _, ok := splitDir(e.Name)
		return ok && c.hasLog(e.Name)
	})
}

// hasLog reports whether a directory can be listed and has files of a partition.
func (c *checker) hasLog(dir string) bool {
	entries, err := c.fs.ReadDir(filepath.Join(c.cfg.Dir, dir))
	return err == nil && slices.ContainsFunc(entries, func(e vfs.Info) bool {
		base, suffix := parseName(e.Name)
		return e.Name == metadataFile || base >= 0 && suffix == logSuffix
	})
}

// trace is what the presence of a file says about a directory. Each value says more
// than the one before it.
type trace int

const (
	expected    trace = 1 + iota // a data directory may have the file
	identifies                   // the directory is a data directory
	brokerWrote                  // a broker has run on it
)

// known are the files of a data directory, of this broker and of Apache Kafka.
var known = map[string]trace{
	metaFile: identifies, "bootstrap.checkpoint": identifies,
	cleanFile: brokerWrote, recoveryPointFile: brokerWrote, logStartFile: brokerWrote, highWatermarkFile: brokerWrote,
	ownFile: brokerWrote, "cleaner-offset-checkpoint": brokerWrote,
	lockFile: expected, "lost+found": expected, ".ready-probe": expected,
}

// ownFile tells a directory of this broker from one of Apache Kafka.
const ownFile = "bote-meta.db"

// file judges a file of the data directory by its name.
func (c *checker) file(e vfs.Info) {
	c.report.Used = c.report.Used || known[e.Name] == brokerWrote
	switch {
	case e.Name == cleanFile:
		c.report.Clean = true
	case e.Name == ownFile:
		c.own = true
	case known[e.Name] != 0:
	case strings.HasSuffix(e.Name, ".tmp"):
		c.say(false, e.Name, "left over by a write that did not end; it may be removed")
	default:
		c.say(false, e.Name, "is not known; the broker does not touch it")
	}
}

// partitionDir reports whether a directory is one to look into.
func (c *checker) partitionDir(name string) bool {
	if t, _, ok := splitDir(name); ok {
		c.report.Used = true
		return c.cfg.Topic == "" || t == c.cfg.Topic
	}
	switch {
	case strings.HasSuffix(name, deletedDirSuffix):
		c.say(false, name, "belongs to a deleted topic; the next start removes it")
	case strings.HasSuffix(name, strayDirSuffix):
		c.say(false, name, "was set aside because no topic has it; it may be removed")
	case known[name] == 0:
		c.say(false, name, "is not known; the broker does not touch it")
	}
	return false
}

// missing compares the directories with what the metadata and the checkpoints know.
func (c *checker) missing(dirs []string) {
	there := map[string]bool{}
	for _, d := range dirs {
		there[d] = true
	}
	for name, t := range c.topics {
		if c.cfg.Topic != "" && name != c.cfg.Topic {
			continue
		}
		for i := range t.Partitions {
			if dir := dirName(name, i); !there[dir] {
				c.add(Finding{Damage: c.report.Clean, Topic: name, Partition: i, File: dir, Text: "the directory of the partition is missing; the next start makes an empty one"})
			}
		}
	}
	if c.cfg.Topic != "" {
		return
	}
	for _, f := range []struct {
		name string
		of   checkpoint
	}{{recoveryPointFile, c.recovery}, {logStartFile, c.starts}, {highWatermarkFile, c.high}} {
		for dir := range f.of {
			if t, n, _ := splitDir(dir); !there[dir] {
				c.add(Finding{Damage: c.report.Clean && c.own, Topic: t, Partition: n, File: f.name, Text: "names a partition that has no directory"})
			}
		}
	}
	slices.SortFunc(c.report.Findings, func(a, b Finding) int { return strings.Compare(a.File+a.Topic, b.File+b.Topic) })
}

// say adds a finding on a file of the data directory.
func (c *checker) say(damage bool, file, format string, args ...any) {
	c.add(Finding{Damage: damage, Partition: -1, File: file, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) add(f Finding) {
	f.Position, f.Entry, f.Offset = -1, -1, -1
	c.report.Findings = append(c.report.Findings, f)
}

// list checks what is in the partition directories besides segments and indexes.
func (c *checker) list(ctx context.Context, dirs []string) ([]*partitionCheck, error) {
	parts := make([]*partitionCheck, 0, len(dirs))
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := c.openPartition(dir)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b *partitionCheck) int {
		if n := strings.Compare(a.report.Topic, b.report.Topic); n != 0 {
			return n
		}
		return int(a.report.Partition - b.report.Partition)
	})
	return parts, nil
}

// segments reads all segments, as many at once as there are workers.
func (c *checker) segments(ctx context.Context, parts []*partitionCheck) error {
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(c.cfg.Workers)
	for _, p := range parts {
		for _, s := range p.segments {
			if within.Err() != nil {
				break
			}
			group.Go(func() error {
				buf := buffers.Get().(*[]byte)
				defer buffers.Put(buf)
				if err := s.check(within, buf); err != nil {
					return fmt.Errorf("check %s: %w", filepath.Join(p.dir, fileName(s.base, logSuffix)), err)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
