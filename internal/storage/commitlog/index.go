package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/botehq/bote/internal/storage/vfs"
)

// index is the file of an offset index or a time index. The entries of the active
// segment are in memory; those of a closed segment are loaded on first use.
// logSegment.mu guards it.
//
//	saved <= len(raw), if the entries are loaded
type index[Entries ~[]byte] struct {
	segmentFile *handle // nil if it is not kept open
	fs          vfs.FS
	name        string
	raw         Entries // valid if loaded
	loaded      bool
	used        time.Time // when load was last called
	saved       int       // bytes of raw that the file has, -1 if that is unknown
	longer      bool      // the file may have bytes behind saved, or has yet to be created
	noFile      bool      // there is no file, and none is needed until the segment has batches
}

func newIndex[Entries ~[]byte](fs vfs.FS, segmentFile *handle, name string) *index[Entries] {
	return &index[Entries]{segmentFile: segmentFile, fs: fs, name: name}
}

// load reads the file. A missing file is an error; it is errRetired if the segment was
// retired.
func (x *index[Entries]) load() error {
	x.used = time.Now()
	if x.loaded {
		return nil
	}
	raw, err := vfs.ReadFile(x.fs, x.name)
	if x.segmentFile != nil && errors.Is(err, fs.ErrNotExist) && x.segmentFile.isRetired() {
		return errRetired
	}
	if err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	x.raw, x.saved, x.loaded = bytes.Clone(raw), len(raw), true // a copy: raw may have much spare capacity
	return nil
}

// reset makes the index empty; the next save empties the file too.
func (x *index[Entries]) reset() {
	x.raw, x.saved, x.longer, x.loaded, x.noFile = nil, -1, true, true, false
}

// setNoFile says that there is no file, which a segment without batches does not need.
// Most of ten thousand new partitions have no batches for a while.
func (x *index[Entries]) setNoFile() {
	x.raw, x.saved, x.longer, x.loaded, x.noFile = nil, 0, false, true, true
}

// needFile makes the next save create the file: the segment gets its first batch.
func (x *index[Entries]) needFile() { x.longer = x.longer || x.noFile }

// drop forgets a loaded index if its file is complete and nobody has used it since a
// time.
func (x *index[Entries]) drop(since time.Time) {
	if x.loaded && !x.noFile && x.complete() && x.used.Before(since) {
		x.raw, x.loaded = nil, false
	}
}

// keep drops all entries but the given first ones.
func (x *index[Entries]) keep(first Entries) {
	if len(first) < len(x.raw) {
		x.raw = first
		x.saved = min(x.saved, len(x.raw))
		x.longer = true
	}
}

// save writes the entries that the file does not have yet, and reports whether it
// wrote any. It does not sync.
func (x *index[Entries]) save() (wrote bool, err error) {
	if !x.loaded || x.complete() {
		return false, nil
	}
	f, err := x.fs.OpenFile(x.name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return false, fmt.Errorf("open index: %w", err)
	}
	err = x.writeTo(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		x.saved, x.longer = -1, true // the content is unknown: write all of it next time
		return false, fmt.Errorf("write index: %w", err)
	}
	x.saved, x.longer, x.noFile = len(x.raw), false, false
	return true, nil
}

// complete reports whether the file has exactly raw.
func (x *index[Entries]) complete() bool { return x.saved == len(x.raw) && !x.longer }

// writeTo overwrites in place, so that a crash never takes entries that the file
// has: those below the recovery point are trusted.
func (x *index[Entries]) writeTo(f vfs.File) error {
	if from := max(x.saved, 0); from < len(x.raw) {
		if _, err := f.WriteAt(x.raw[from:], int64(from)); err != nil {
			return err
		}
	}
	size, err := f.Size()
	if err == nil && size > int64(len(x.raw)) {
		err = f.Truncate(int64(len(x.raw)))
	}
	return err
}
