package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// identity checks meta.properties.
func (c *checker) identity() {
	id, err := ReadIdentity(c.fs, c.cfg.Dir)
	switch {
	case err == nil:
		c.report.ClusterID = id.ClusterID
		if raw, rerr := vfs.ReadFile(c.fs, filepath.Join(c.cfg.Dir, metaFile)); rerr == nil && !printable(raw) {
			c.say(true, metaFile, "has bytes that are no text")
		}
	case errors.Is(err, ErrNotFormatted), errors.Is(err, ErrForeign):
		c.say(true, metaFile, "is missing; the broker refuses a directory that has files but no identity")
	default:
		c.say(true, metaFile, "is not understood (version 1, cluster.id and node.id are needed); the broker refuses to start with it")
	}
}

func printable(raw []byte) bool {
	return !slices.ContainsFunc(raw, func(b byte) bool { return b >= 0x7f || b < ' ' && b != '\n' && b != '\r' && b != '\t' })
}

// readCheckpoint returns nil if there is no usable file.
func (c *checker) readCheckpoint(name, consequence string) checkpoint {
	points, err := readCheckpoint(c.fs, c.cfg.Dir, name)
	if err != nil {
		c.say(true, name, "%v; %s", errors.Unwrap(err), consequence)
		return nil
	}
	return points
}

// partitionCheck is a partition directory that is being checked. Segments are
// checked independently; finish puts their results together.
type partitionCheck struct {
	c        *checker
	dir      string // below the data directory
	report   *PartitionReport
	segments []*segmentCheck
	starts   int64 // the log start from the checkpoint, 0 if it has none
	sealed   int64 // after a clean stop the end, else the recovery point; -1 if unknown
	noEpochs bool  // there is no usable leader-epoch-checkpoint
	ends     []int64
}

// openPartition checks all files but segments and indexes.
func (c *checker) openPartition(dir string) (*partitionCheck, error) {
	name, n, _ := splitDir(dir)
	p := &partitionCheck{c: c, dir: dir, report: &PartitionReport{Topic: name, Partition: n, Findings: []Finding{}}, sealed: -1}
	if point, ok := c.recovery[dir]; ok {
		p.sealed = point
	}
	p.starts = c.starts[dir]
	entries, err := c.fs.ReadDir(filepath.Join(c.cfg.Dir, dir))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		sizes[e.Name] = e.Size
	}
	for _, e := range entries {
		p.file(e, sizes)
	}
	for i, s := range p.segments {
		if s.next = -1; i+1 < len(p.segments) {
			s.next = p.segments[i+1].base
		}
		c.cfg.Progress.total.Add(s.size)
		p.report.Bytes += s.size
	}
	p.report.Segments = len(p.segments)
	p.metadata(sizes)
	p.readEpochs()
	return p, nil
}

// file judges a file of the directory by its name.
func (p *partitionCheck) file(e vfs.Info, sizes map[string]int64) {
	base, suffix := parseName(e.Name)
	switch {
	case strings.HasSuffix(e.Name, deletedSuffix):
		p.say(false, e.Name, "waits for its removal")
	case strings.HasSuffix(e.Name, ".tmp"), strings.HasSuffix(e.Name, ".cleaned"), strings.HasSuffix(e.Name, ".swap"):
		p.say(false, e.Name, "left over by a write that did not end; the next start removes it")
	case e.Name == metadataFile, e.Name == epochFile, e.Name == "quorum-state":
	case base < 0:
		p.say(false, e.Name, "is not known; the broker does not touch it")
	case suffix == logSuffix:
		p.segments = append(p.segments, &segmentCheck{p: p, base: base, size: e.Size})
	case suffix == snapshotSuffix:
		p.snapshot(e.Name, base)
	case suffix == indexSuffix, suffix == timeSuffix, suffix == txnSuffix:
		if _, ok := sizes[fileName(base, logSuffix)]; !ok {
			p.say(p.c.report.Clean, e.Name, "has no segment")
		}
	default:
		p.say(false, e.Name, "is not known; the broker does not touch it")
	}
}

// metadata checks partition.metadata, which says which topic the directory belongs
// to.
func (p *partitionCheck) metadata(sizes map[string]int64) {
	known, inMeta := p.c.topics[p.report.Topic]
	orphan := p.c.topics != nil && (!inMeta || p.report.Partition >= known.Partitions)
	if _, ok := sizes[metadataFile]; !ok {
		if p.report.Topic != "__cluster_metadata" {
			p.say(p.report.Bytes > 0, metadataFile, "is missing; the broker refuses a directory that has records and does not say of which topic")
		}
		return
	}
	raw, err := vfs.ReadFile(p.c.fs, filepath.Join(p.c.cfg.Dir, p.dir, metadataFile))
	id, ok := parseMetadata(raw)
	switch {
	case err != nil || !ok:
		p.say(true, metadataFile, "is not understood; the broker refuses a directory that has records and does not say of which topic")
	case orphan:
		p.say(false, metadataFile, "the metadata has no such partition; the next start sets the directory aside")
	case inMeta && id != known.ID:
		p.say(true, metadataFile, "says topic ID %s, but that of the topic is %s; the broker refuses to start with it", id, known.ID)
	}
}

// parseMetadata accepts partition.metadata only exactly as the broker writes it.
func parseMetadata(raw []byte) (topic.ID, bool) {
	text, ok := strings.CutPrefix(string(raw), "version: 0\ntopic_id: ")
	if !ok {
		return topic.ID{}, false
	}
	id, err := topic.ParseID(strings.TrimSpace(text))
	return id, err == nil
}

// readEpochs checks leader-epoch-checkpoint by itself; finish compares it with the
// batches.
func (p *partitionCheck) readEpochs() {
	raw, err := vfs.ReadFile(p.c.fs, filepath.Join(p.c.cfg.Dir, p.dir, epochFile))
	if errors.Is(err, fs.ErrNotExist) {
		p.noEpochs = true
		if p.report.Bytes > 0 {
			p.say(p.c.report.Clean, epochFile, "is missing; the next start rebuilds it from the batches")
		}
		return
	}
	if err == nil {
		p.report.epochs, err = parseEpochs(raw)
	}
	if err != nil {
		p.noEpochs = true
		p.say(p.c.report.Clean || p.c.own, epochFile, "%v; the next start rebuilds it from the batches", err)
	}
}

// Snapshot format; package partition writes it, docs/formats/log.md describes it.
const (
	snapshotHeadSize  = 10
	snapshotEntrySize = 46
)

// snapshot checks a producer snapshot.
func (p *partitionCheck) snapshot(name string, end int64) {
	p.ends = append(p.ends, end)
	raw, err := vfs.ReadFile(p.c.fs, filepath.Join(p.c.cfg.Dir, p.dir, name))
	const consequence = "the next start removes it and reads the batches"
	switch {
	case err != nil:
		p.say(true, name, "cannot be read: %v", err)
		return
	case len(raw) < snapshotHeadSize:
		p.say(p.c.report.Clean, name, "is cut off in its head; %s", consequence)
		return
	case binary.BigEndian.Uint16(raw) != 1:
		p.say(true, name, "has version %d, which is not known; %s", binary.BigEndian.Uint16(raw), consequence)
		return
	case binary.BigEndian.Uint32(raw[2:]) != crc32.Checksum(raw[6:], crc32.MakeTable(crc32.Castagnoli)):
		p.say(p.c.report.Clean, name, "its checksum does not match its bytes; %s", consequence)
		return
	}
	n := int64(binary.BigEndian.Uint32(raw[6:]))
	if int64(len(raw)) != snapshotHeadSize+n*snapshotEntrySize {
		p.say(true, name, "has %d bytes, which do not hold %d producers; %s", len(raw), n, consequence)
		return
	}
	for i := range n {
		e := raw[snapshotHeadSize+i*snapshotEntrySize:]
		id, last, first := int64(binary.BigEndian.Uint64(e)), int64(binary.BigEndian.Uint64(e[14:])), int64(binary.BigEndian.Uint64(e[38:]))
		if id < 0 || last >= end || first >= end {
			p.entry(Finding{Damage: true, File: name, Entry: i, Position: snapshotHeadSize + i*snapshotEntrySize, Offset: last},
				"producer %d has offset %d, but the snapshot is of offset %d", id, max(last, first), end)
		}
	}
}

// say adds a finding on a file of the partition.
func (p *partitionCheck) say(damage bool, file, format string, args ...any) {
	p.entry(Finding{Damage: damage, File: file, Entry: -1, Position: -1, Offset: -1}, format, args...)
}

func (p *partitionCheck) entry(f Finding, format string, args ...any) {
	f.Text = fmt.Sprintf(format, args...)
	p.report.add(f, p.dir)
}

func (r *PartitionReport) add(f Finding, dir string) {
	if r.count(f, 1); len(r.Findings) == maxFindings {
		return
	}
	f.Topic, f.Partition = r.Topic, r.Partition
	if f.File != recoveryPointFile && f.File != logStartFile && f.File != highWatermarkFile {
		f.File = filepath.Join(dir, f.File)
	}
	r.Findings = append(r.Findings, f)
}

func (r *PartitionReport) count(f Finding, n int64) {
	if f.Damage {
		r.Damaged += n
		return
	}
	r.Remarks += n
}

// finish puts the results of the segments together and compares them with the
// checkpoints.
func (p *partitionCheck) finish() *PartitionReport {
	r := p.report
	if len(p.segments) > 0 {
		r.Start = max(p.starts, p.segments[0].base)
	}
	r.End = r.Start
	for _, s := range p.segments {
		p.hole(s)
		r.Batches += s.batches
		r.Records += s.records
		for _, f := range s.findings {
			r.add(f, p.dir)
		}
		r.Damaged += s.moreDamage
		r.Remarks += s.moreRemarks
		r.End = max(r.End, s.end)
	}
	p.checkpoints()
	p.epochs()
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return strings.Compare(a.File, b.File) })
	return r
}

// hole compares where a segment ends with where the next begins. Only a crash, or
// compaction by Apache Kafka, leaves a gap between them.
func (p *partitionCheck) hole(s *segmentCheck) {
	if s.next < 0 || s.end >= s.next || len(s.findings) > 0 {
		return
	}
	finding := Finding{
		Damage: p.c.own && !p.c.topics[p.report.Topic].Compacted && (p.c.report.Clean || s.next <= p.sealed),
		File:   fileName(s.next, logSuffix), Entry: -1, Position: -1, Offset: s.end,
	}
	p.entry(finding, "offsets %d to %d are in no segment: unless the topic was compacted once, a segment is missing", s.end, s.next-1)
}

// checkpoints compares the offsets in the checkpoint files with the log.
func (p *partitionCheck) checkpoints() {
	r, c := p.report, p.c
	if len(p.segments) == 0 || slices.ContainsFunc(p.segments, func(s *segmentCheck) bool { return s.next < 0 && s.broken }) {
		return // it is not known where the log ends
	}
	base := p.segments[0].base
	for _, f := range []struct {
		name  string
		of    checkpoint
		exact bool
	}{{recoveryPointFile, c.recovery, c.report.Clean}, {highWatermarkFile, c.high, c.report.Clean && c.own}} {
		at, ok := f.of[p.dir]
		finding := Finding{Damage: c.report.Clean, File: f.name, Entry: -1, Position: -1, Offset: at}
		switch {
		case !ok && f.exact && f.of != nil && c.own && r.End > 0:
			p.entry(finding, "has no line for the partition")
		case ok && at > r.End:
			p.entry(finding, "says %d, but the log ends at %d", at, r.End)
		case ok && f.exact && at != r.End:
			p.entry(finding, "says %d, but the log ends at %d and the last stop was clean", at, r.End)
		}
	}
	if at, ok := c.starts[p.dir]; ok && (at > r.End || at < base) {
		p.entry(Finding{Damage: at > r.End || c.report.Clean, File: logStartFile, Entry: -1, Position: -1, Offset: at},
			"says that the log starts at %d, but the log has offsets %d to %d", at, base, r.End)
	}
	for _, end := range p.ends {
		if end > r.End {
			p.say(c.report.Clean, fileName(end, snapshotSuffix), "is of an offset behind the log end %d; the next start removes it", r.End)
		}
	}
}

// epochs compares leader-epoch-checkpoint with the epochs in the batches.
func (p *partitionCheck) epochs() {
	var runs []epochRun
	for _, s := range p.segments {
		for _, run := range s.runs {
			if n := len(runs); n > 0 && runs[n-1].epoch == run.epoch {
				runs[n-1].last = run.last
				runs[n-1].batches += run.batches
				continue
			}
			runs = append(runs, run)
		}
	}
	for i, run := range runs {
		switch {
		case run.last < p.report.Start || run.epoch < 0 && len(p.report.epochs) == 0:
		case run.batches == 1 && p.lonely(runs, i):
			p.entry(Finding{Damage: true, File: run.file, Entry: -1, Position: run.position, Offset: run.first},
				"the batch says leader epoch %d, which does not go with its neighbours and %s; no checksum covers the field", run.epoch, epochFile)
		default:
			p.epochRun(run)
		}
	}
	p.logStart(runs)
	p.report.Epochs = len(p.report.epochs)
	if n := p.report.Epochs; n > 0 && p.report.epochs[n-1].Start > p.report.End {
		e := p.report.epochs[n-1]
		p.entry(Finding{Damage: p.c.report.Clean, File: epochFile, Entry: int64(n - 1), Position: -1, Offset: e.Start},
			"says that epoch %d began at %d, but the log ends at %d", e.Epoch, e.Start, p.report.End)
	}
	p.report.epochs = nil
}

// lonely reports whether a single batch has an epoch that differs both from the
// batches around it and from the file.
func (p *partitionCheck) lonely(runs []epochRun, i int) bool {
	run := runs[i]
	first, _ := epochAt(p.report.epochs, run.first)
	last, _ := epochAt(p.report.epochs, run.last)
	if first == run.epoch && last == run.epoch {
		return false
	}
	if i > 0 && runs[i-1].epoch > run.epoch || i+1 < len(runs) && runs[i+1].epoch < run.epoch {
		return true
	}
	return first == last && first >= 0 && first != run.epoch && (i == 0 || runs[i-1].epoch == first)
}

// logStart compares the log start with the first leader epoch, which begins there:
// both are written when the start moves. Neither file has a checksum, so each checks
// the other.
func (p *partitionCheck) logStart(runs []epochRun) {
	if len(p.report.epochs) == 0 || !p.c.report.Clean || p.c.starts == nil {
		return
	}
	first, start := p.report.epochs[0].Start, p.report.Start
	early := slices.ContainsFunc(runs, func(r epochRun) bool { return r.last >= start && max(r.first, start) < first })
	if first < start || early {
		p.entry(Finding{Damage: true, File: logStartFile, Entry: -1, Position: -1, Offset: start},
			"the log starts at %d, but %s begins at %d: one of them is wrong, and the broker refuses to start", start, epochFile, first)
	}
}

// epochRun compares a run of batches of one epoch with the file. After a crash the
// file may lack epochs above the recovery point.
func (p *partitionCheck) epochRun(run epochRun) {
	if p.noEpochs {
		return
	}
	from := max(run.first, p.report.Start)
	first, entry := epochAt(p.report.epochs, from)
	last, lastEntry := epochAt(p.report.epochs, run.last)
	if first == run.epoch && last == run.epoch || p.report.epochs != nil && p.report.epochs[0].Start > from && last == run.epoch {
		return // logStart reports a first entry that begins too late
	}
	if first == run.epoch {
		entry = lastEntry
	}
	p.entry(Finding{Damage: p.c.report.Clean || p.sealed > run.last, File: epochFile, Entry: int64(max(entry, 0)), Position: -1, Offset: run.first},
		"says epoch %d for offset %d and epoch %d for offset %d, but the batches from %d to %d say %d", first, from, last, run.last, run.first, run.last, run.epoch)
}

// epochAt returns the epoch in force at an offset and the index of its entry, -1 if
// there is none.
func epochAt(epochs []storage.Epoch, offset int64) (epoch int32, entry int) {
	epoch, entry = -1, -1
	for i, e := range epochs {
		if e.Start <= offset {
			epoch, entry = e.Epoch, i
		}
	}
	return epoch, entry
}
