package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"time"

	"github.com/botehq/bote/internal/storage/vfs"
)

// Entry sizes on disk.
const (
	offsetEntrySize = 8
	timeEntrySize   = 12
)

// index is the entries of an offset index or time index, in the bytes of the
// file. The active segment's is in memory; a closed segment's is loaded when
// it is asked for. It is guarded by the segment's mu.
type index struct {
	log    *handle // the segment's file, nil if it is not kept open
	fs     vfs.FS
	name   string
	entry  int    // bytes of one entry
	raw    []byte // valid if loaded
	loaded bool
	used   time.Time // when it was last asked for
	saved  int       // bytes of raw that the file has, -1 if that is unknown
	longer bool      // the file has more than that
}

func newIndex(fs vfs.FS, log *handle, name string, entry int) *index {
	return &index{log: log, fs: fs, name: name, entry: entry}
}

// load reads the file; a missing file is an error, which is errGone once the segment
// was given up.
func (x *index) load() error {
	x.used = time.Now()
	if x.loaded {
		return nil
	}
	raw, err := vfs.ReadFile(x.fs, x.name)
	if x.log != nil && errors.Is(err, fs.ErrNotExist) && x.log.isGone() {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	x.raw, x.saved, x.loaded = bytes.Clone(raw), len(raw), true // what is kept has no room to spare
	return nil
}

// reset makes the index empty; the file follows at the next save.
func (x *index) reset() { x.raw, x.saved, x.longer, x.loaded = nil, -1, true, true }

// drop forgets a loaded index whose file is complete and that nobody used since a time.
func (x *index) drop(since time.Time) {
	if x.loaded && x.complete() && x.used.Before(since) {
		x.raw, x.loaded = nil, false
	}
}

func (x *index) len() int { return len(x.raw) / x.entry }

// truncate keeps the first n entries.
func (x *index) truncate(n int) {
	if n*x.entry < len(x.raw) {
		x.raw = x.raw[: n*x.entry : n*x.entry]
		x.saved = min(x.saved, len(x.raw))
		x.longer = true
	}
}

// save writes what the file does not have yet, and reports whether that was
// anything. It does not sync.
func (x *index) save() (wrote bool, err error) {
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
		x.saved, x.longer = -1, true // what the file holds is unknown: write all of it next time
		return false, fmt.Errorf("write index: %w", err)
	}
	x.saved, x.longer = len(x.raw), false
	return true, nil
}

// complete reports whether the file is as raw.
func (x *index) complete() bool { return x.saved == len(x.raw) && !x.longer }

// writeTo overwrites in place: entries that the file has are there after a crash
// too, and a recovery point has those below it trusted.
func (x *index) writeTo(f vfs.File) error {
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

// syncFile makes what was saved durable.
func syncFile(fs vfs.FS, name string) error {
	f, err := fs.OpenFile(name, os.O_RDWR)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// offsets are entries {relative offset int32, position int32}: the batch at the
// position ends with the offset.

func (x *index) addOffset(relative, position int32) {
	x.raw = binary.BigEndian.AppendUint32(x.raw, uint32(relative))
	x.raw = binary.BigEndian.AppendUint32(x.raw, uint32(position))
}

func (x *index) offsetAt(i int) (relative, position int32) {
	p := x.raw[i*offsetEntrySize:]
	return int32(binary.BigEndian.Uint32(p)), int32(binary.BigEndian.Uint32(p[4:]))
}

// entriesBefore returns the last entries at or before the batch that holds a
// relative offset, the nearest first.
func (x *index) entriesBefore(relative int64) []hold {
	i := sort.Search(x.len(), func(i int) bool {
		r, _ := x.offsetAt(i)
		return int64(r) > relative
	})
	var out []hold
	for i--; i >= 0 && len(out) < maxProofs; i-- {
		if r, position := x.offsetAt(i); int64(r) <= relative {
			out = append(out, hold{relative: int64(r), position: int64(position)})
		}
	}
	return out
}

// boundary returns the last entry whose position is at most limit and whose
// relative offset is below to; zeros if there is none.
func (x *index) boundary(limit, to int64) (relative, position int64) {
	i := sort.Search(x.len(), func(i int) bool {
		r, p := x.offsetAt(i)
		return int64(p) > limit || int64(r) >= to
	})
	if i == 0 {
		return 0, 0
	}
	r, p := x.offsetAt(i - 1)
	return int64(r), int64(p)
}

// times are entries {timestamp int64, relative offset int32}: the largest
// timestamp so far and the last offset of the batch that has it.

func (x *index) addTime(ts int64, relative int32) {
	x.raw = binary.BigEndian.AppendUint64(x.raw, uint64(ts))
	x.raw = binary.BigEndian.AppendUint32(x.raw, uint32(relative))
}

func (x *index) timeAt(i int) (ts int64, relative int32) {
	p := x.raw[i*timeEntrySize:]
	return int64(binary.BigEndian.Uint64(p)), int32(binary.BigEndian.Uint32(p[8:]))
}

// timesBefore returns the last entries below a timestamp, the nearest first: up to
// their offsets no record has a timestamp of ts or more.
func (x *index) timesBefore(ts int64) []hold {
	i := sort.Search(x.len(), func(i int) bool {
		t, _ := x.timeAt(i)
		return t >= ts
	})
	var out []hold
	for i--; i >= 0 && len(out) < maxProofs; i-- {
		if t, relative := x.timeAt(i); t < ts {
			out = append(out, hold{relative: int64(relative), ts: t})
		}
	}
	return out
}

// lastBelow returns the last entries whose relative offset is below one, the nearest
// first.
func (x *index) lastBelow(relative int64) []hold {
	i := sort.Search(x.len(), func(i int) bool {
		_, r := x.timeAt(i)
		return int64(r) >= relative
	})
	var out []hold
	for i--; i >= 0 && len(out) < maxProofs; i-- {
		if t, r := x.timeAt(i); int64(r) < relative {
			out = append(out, hold{relative: int64(r), ts: t})
		}
	}
	return out
}

// sane reports whether entries grow as they must and fit the segment; trailing
// zero entries, which Kafka preallocates, are cut off.
func (x *index) sane(size int64) bool {
	if len(x.raw)%x.entry != 0 {
		return false
	}
	n := x.len()
	for n > 0 && zero(x.raw[(n-1)*x.entry:n*x.entry]) {
		n--
	}
	x.truncate(n)
	for i := 1; i < n; i++ {
		if x.entry == offsetEntrySize {
			r0, p0 := x.offsetAt(i - 1)
			r1, p1 := x.offsetAt(i)
			if r1 <= r0 || p1 <= p0 {
				return false
			}
			continue
		}
		t0, r0 := x.timeAt(i - 1)
		t1, r1 := x.timeAt(i)
		if t1 < t0 || r1 < r0 {
			return false
		}
	}
	if n > 0 && x.entry == offsetEntrySize {
		r0, p0 := x.offsetAt(0)
		_, p := x.offsetAt(n - 1)
		return r0 >= 0 && p0 >= 0 && int64(p) < size
	}
	return true
}

func zero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
