package commitlog

import (
	"errors"
	"sync/atomic"

	"github.com/botehq/bote/internal/storage/vfs"
)

// volume is the file system that the data directory is on. One sync of it makes all files
// durable.
//
// The system tells of a write that it could not do once: the next sync of the volume
// fails, the one after it succeeds, and the bytes are lost. So failures are counted. A
// log asks about its own files, each of which is told separately, if there was a failure
// since it last did.
type volume struct {
	opened   vfs.Volume    // nil where volumes are not synced
	turn     chan struct{} // held during a sync: a failure is counted before the next sync can succeed
	failures atomic.Int64
}

func (v *volume) open(fs vfs.FS, dir string) (err error) {
	v.opened, err = fs.OpenVolume(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// sync makes everything on the volume durable, except for logs that doubt it. Where
// volumes are not synced the error matches errors.ErrUnsupported.
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
