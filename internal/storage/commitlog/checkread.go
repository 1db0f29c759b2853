package commitlog

import "github.com/botehq/bote/internal/storage/vfs"

const (
	// checkStep is how many bytes of a segment are read at a time.
	checkStep = 1 << 20
	// keptBuffer is the size up to which a buffer is kept for the next segment.
	keptBuffer = 8 << 20
)

func kept(buf []byte) []byte {
	if cap(buf) > keptBuffer {
		return nil
	}
	return buf
}

// progressReader is a file that reports to progress how far it was read.
type progressReader struct {
	r        vfs.File
	progress *CheckProgress
	passed   int64 // how far progress knows
}

// ReadAt implements io.ReaderAt.
func (t *progressReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := t.r.ReadAt(p, at)
	t.pass(at + int64(n))
	return n, err
}

// close counts the rest as read.
func (t *progressReader) close(size int64) { t.pass(size) }

func (t *progressReader) pass(position int64) {
	if position > t.passed {
		t.progress.done.Add(position - t.passed)
		t.passed = position
	}
}
