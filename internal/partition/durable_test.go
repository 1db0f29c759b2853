package partition_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/storage/vfs"
)

// holdSyncs makes all syncs of records wait until release is called; they then return
// its argument.
func (b *bench) holdSyncs() (release func(error)) {
	held, result := make(chan struct{}), error(nil)
	b.faulty.Inject(func(op vfs.Op, name string) error {
		if op != vfs.OpSync || !strings.HasSuffix(name, ".log") {
			return nil
		}
		<-held
		return result
	})
	return func(err error) {
		result = err
		close(held)
	}
}

// TestAnAppendMakesNothingBeforeItVisible: the batches before a new one may still wait
// for the disk.
func TestAnAppendMakesNothingBeforeItVisible(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.holdSyncs()
	first := b.start(b.batch("first"))
	second := b.start(b.batch("second"))
	require.Zero(t, b.HighWatermark())
	require.Empty(t, first)
	release(nil)
	require.NoError(t, (<-first).err)
	require.NoError(t, (<-second).err)
	require.EqualValues(t, 2, b.HighWatermark())
}

// TestAPartitionThatEndsAnswersWhatWaits: no producer waits for a partition that has
// ended.
func TestAPartitionThatEndsAnswersWhatWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.holdSyncs()
	pending := []<-chan outcome{b.start(b.batch("first")), b.start(b.batch("second"))}
	b.End(kerr.UnknownTopicOrPartition)
	for _, p := range pending {
		select {
		case o := <-p:
			require.ErrorIs(t, o.err, kerr.UnknownTopicOrPartition)
		case <-time.After(10 * time.Second):
			t.Fatal("a producer still waits")
		}
	}
	release(nil)
}

// TestALogThatFailsWakesItsReaders: readers would wait for records that cannot come.
func TestALogThatFailsWakesItsReaders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.holdSyncs()
	w := newWatcher()
	b.Watch(w)
	pending := b.start(b.batch("lost"))
	release(kerr.KafkaStorageError)
	require.ErrorIs(t, (<-pending).err, kerr.KafkaStorageError)
	select {
	case <-w.moved:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody woke the reader")
	}
	require.EqualValues(t, 1, w.wakes.Load())
}
