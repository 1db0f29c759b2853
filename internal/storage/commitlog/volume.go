package commitlog

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/token"
)

// volume is the file system that holds the data directory. One sync of it makes all files
// durable.
//
// Linux reports a failed write to syncfs once: the next syncfs succeeds although the
// bytes are lost. So volume counts failures. A log that has not synced its own files
// since the last failure does not trust a sync of the volume. A sync of a file reports
// the file's own failures.
type volume struct {
	opened   vfs.Volume  // nil where volumes are not synced
	turn     token.Token // held during a sync: a failure is counted before the next sync can succeed
	failures atomic.Int64
}

func (v *volume) open(fs vfs.FS, dir string) (err error) {
	v.turn = token.New("sync of the volume")
	v.opened, err = fs.OpenVolume(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// sync makes everything on the volume durable, except what an earlier failure lost: the
// caller must also check doubtsVolume. If volumes cannot be synced here, the error
// matches errors.ErrUnsupported.
func (v *volume) sync() error {
	if v.opened == nil {
		return errors.ErrUnsupported
	}
	v.turn.Take()
	defer v.turn.Give()
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

// neverSeen as failuresSeen means that the log must sync its own files whether or not the
// volume has failed: an earlier process may have been told of a failure and then killed.
const neverSeen = -1

// unsyncedFile is a small file of a log that the next flush has to sync.
type unsyncedFile struct {
	name     string
	failures int64 // volume.failures before the file was written
}

// doubtsVolume reports whether a sync of the volume proves nothing about this flush: an
// earlier sync may have lost some of what it has to make durable.
func (p flushPoint) doubtsVolume() bool {
	failures := p.log.store.volume.failures.Load()
	return p.log.failuresSeen.Load() != failures || slices.ContainsFunc(p.unsyncedFiles, func(f unsyncedFile) bool { return f.failures != failures })
}
