package commitlog

import (
	"errors"
	"sync/atomic"

	"github.com/botehq/bote/internal/storage/vfs"
)

// volume is the file system that the data directory is on. One sync of it makes all files
// durable.
//
// Linux reports a failed write to syncfs once: the next syncfs succeeds, although the
// bytes are lost. So failures are counted, and a log that has not synced its own files
// since the last failure does not trust a sync of the volume. A sync of a file reports
// the file's own failures.
type volume struct {
	opened   vfs.Volume    // nil where volumes are not synced
	turn     chan struct{} // held during a sync: a failure is counted before the next sync can succeed
	failures atomic.Int64
}

func (v *volume) open(fs vfs.FS, dir string) (err error) {
	v.turn = make(chan struct{}, 1)
	v.opened, err = fs.OpenVolume(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// sync makes everything on the volume durable, but for what an earlier failure lost: the
// caller must also check doubtsVolume. Where volumes are not synced the error matches
// errors.ErrUnsupported.
func (v *volume) sync() error {
	if v.opened == nil {
		return errors.ErrUnsupported
	}
	v.turn <- struct{}{}
	defer func() { <-v.turn }()
	err := v.opened.Sync()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		v.failures.Add(1)
	}
	return err
}

func (v *volume) close() error {
	if v.opened == nil {
		return nil
	}
	return v.opened.Close()
}

// doubtsVolume reports whether a sync of the volume proves nothing about the log: an
// earlier one failed, and the log has not synced its own files since.
func (l *Log) doubtsVolume() bool { return l.failuresSeen.Load() != l.store.volume.failures.Load() }
