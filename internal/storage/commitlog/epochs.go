package commitlog

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/vfs"
)

// epochFile holds the leader epochs of a partition: a line with the version, one
// with the count, then a line "epoch start" for each. It reaches disk.
const epochFile = "leader-epoch-checkpoint"

// Epochs returns the leader epochs, oldest first.
func (l *Log) Epochs() []storage.Epoch {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.epochs)
}

// addEpoch records an epoch before its first batch is written.
func (l *Log) addEpoch(e storage.Epoch) error {
	l.changingEpochs.Take()
	defer l.changingEpochs.Give()
	next := withEpoch(l.Epochs(), e)
	if err := l.writeEpochs(next); err != nil {
		return err
	}
	l.mu.Lock()
	l.epochs = next
	l.mu.Unlock()
	return nil
}

// trimEpochs drops the epochs below the log start and writes the file: the next
// start compares the two.
func (l *Log) trimEpochs() error {
	l.changingEpochs.Take()
	defer l.changingEpochs.Give()
	l.mu.Lock()
	l.epochs = epochsFrom(l.epochs, l.start)
	epochs := l.epochs
	l.mu.Unlock()
	return l.writeEpochs(epochs)
}

// withEpoch appends an epoch and drops the entries that contradict it: epochs and
// starts both grow strictly.
func withEpoch(epochs []storage.Epoch, e storage.Epoch) []storage.Epoch {
	for n := len(epochs); n > 0 && (epochs[n-1].Epoch >= e.Epoch || epochs[n-1].Start >= e.Start); n-- {
		epochs = epochs[:n-1]
	}
	return append(epochs, e)
}

// epochsFrom drops the epochs that end at or below start. The epoch in force at
// start then begins at start.
func epochsFrom(epochs []storage.Epoch, start int64) []storage.Epoch {
	i := 0
	for i+1 < len(epochs) && epochs[i+1].Start <= start {
		i++
	}
	if i == len(epochs) {
		return nil
	}
	out := slices.Clone(epochs[i:])
	out[0].Start = max(out[0].Start, start)
	return out
}

// epochsBelow drops the epochs that begin at or above end.
func epochsBelow(epochs []storage.Epoch, end int64) []storage.Epoch {
	for n := len(epochs); n > 0 && epochs[n-1].Start >= end; n-- {
		epochs = epochs[:n-1]
	}
	return epochs
}

// writeEpochs writes the file without a sync. The batches carry their epochs too: a
// log whose file is missing or torn is read from its beginning.
func (l *Log) writeEpochs(epochs []storage.Epoch) error {
	err := vfs.WriteUnsynced(l.store.fs, l.dir, epochFile, encodeEpochs(epochs))
	l.epochsStale.Store(err != nil)
	if err != nil {
		return fmt.Errorf("write leader epochs of %s: %w", l.dir, err)
	}
	return nil
}

func encodeEpochs(epochs []storage.Epoch) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "0\n%d\n", len(epochs))
	for _, e := range epochs {
		fmt.Fprintf(&out, "%d %d\n", e.Epoch, e.Start)
	}
	return out.Bytes()
}

// readEpochs reads the file. ok is false if the file is missing or makes no sense:
// the epochs are then rebuilt from the batches.
func (l *Log) readEpochs() (epochs []storage.Epoch, ok bool) {
	raw, err := vfs.ReadFile(l.store.fs, filepath.Join(l.dir, epochFile))
	if err != nil {
		return nil, false
	}
	epochs, err = parseEpochs(raw)
	if err != nil {
		l.log.Warn("leader epoch checkpoint unusable; rebuilding it", slog.Any("err", err))
		return nil, false
	}
	return epochs, true
}

// maxEpochs bounds how many epochs a damaged count can make us read.
const maxEpochs = 1 << 20

func parseEpochs(raw []byte) ([]storage.Epoch, error) {
	in := bufio.NewReader(bytes.NewReader(raw))
	var version, n int
	if _, err := fmt.Fscan(in, &version, &n); err != nil || version != 0 || n < 0 || n > maxEpochs {
		return nil, fmt.Errorf("head of %s is not understood", epochFile)
	}
	var epochs []storage.Epoch
	for range n {
		var e storage.Epoch
		if _, err := fmt.Fscan(in, &e.Epoch, &e.Start); err != nil {
			return nil, fmt.Errorf("%s ends early: %w", epochFile, err)
		}
		if k := len(epochs); k > 0 && (e.Epoch <= epochs[k-1].Epoch || e.Start <= epochs[k-1].Start) {
			return nil, fmt.Errorf("%s does not ascend", epochFile)
		}
		epochs = append(epochs, e)
	}
	if !bytes.Equal(raw, encodeEpochs(epochs)) {
		return nil, fmt.Errorf("%s is not whole", epochFile) // the last number may have lost digits
	}
	return epochs, nil
}
