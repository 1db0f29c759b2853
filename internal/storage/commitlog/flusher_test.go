package commitlog_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// outcome is one of several logs, with what its hooks saw.
type outcome struct {
	*commitlog.Log
	durable chan int64
	failed  chan error
}

func openSeveral(t *testing.T, s *commitlog.Store, n int) []outcome {
	t.Helper()
	var all []outcome
	for i := range n {
		o := outcome{durable: make(chan int64, 1000), failed: make(chan error, 1)}
		var err error
		o.Log, _, err = s.OpenLog(t.Context(), storage.Partition{Topic: "t", ID: topic.ID{7}, Index: int32(i)}, storage.Hooks{
			Settings: func() storage.Settings { return storagetest.Settings },
			Durable:  func(end int64) { o.durable <- end },
			Failed:   func(err error) { o.failed <- err },
			Snapshot: func() ([]byte, int64) { return []byte("state"), o.End() },
		})
		require.NoError(t, err)
		all = append(all, o)
	}
	return all
}

// gate holds the first sync of a kind until it is opened, so that a test can fill
// the next round meanwhile.
type gate struct {
	once   sync.Once
	inside chan struct{}
	open   chan struct{}
}

func newGate() *gate { return &gate{inside: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) pass() {
	g.once.Do(func() {
		close(g.inside)
		<-g.open
	})
}

func appendOne(t *testing.T, l *commitlog.Log) {
	t.Helper()
	b := record.Build(l.End()+1, record.KeyValue{Value: []byte("v")})
	b.SetBaseOffset(l.End())
	require.NoError(t, l.Append(b))
}

// fillRound appends to the first log, and to the others while the first log's sync
// is held, so that the others share the next round.
func fillRound(t *testing.T, g *gate, logs []outcome) {
	t.Helper()
	appendOne(t, logs[0].Log)
	<-g.inside
	for _, l := range logs[1:] {
		appendOne(t, l.Log)
	}
	close(g.open)
}

func TestManyLogsShareOneSyncOfTheVolume(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewStrictMem())
	s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
	require.NoError(t, err)
	logs := openSeveral(t, s, 20)
	g := newGate()
	var mu sync.Mutex
	volume, files := 0, 0
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.HasSuffix(name, ".log") {
			g.pass()
			mu.Lock()
			files++
			mu.Unlock()
		}
		if op == vfs.OpSyncFS {
			mu.Lock()
			volume++
			mu.Unlock()
		}
		return nil
	})
	fillRound(t, g, logs)
	for _, l := range logs {
		require.Equal(t, int64(1), <-l.durable)
	}
	mu.Lock()
	require.Equal(t, 1, volume)
	require.Equal(t, 1, files, "the held one")
	mu.Unlock()
	faulty.Inject(nil)
	require.NoError(t, s.Close())
}

func TestAVolumeThatDoesNotSyncIsSyncedFileByFile(t *testing.T) {
	t.Parallel()
	for _, reason := range []error{syscall.EIO, errors.ErrUnsupported} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			t.Parallel()
			faulty := vfs.NewFaulty(vfs.NewStrictMem())
			s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
			require.NoError(t, err)
			logs := openSeveral(t, s, 10)
			g := newGate()
			faulty.Inject(func(op vfs.Op, name string) error {
				switch {
				case op == vfs.OpSyncFS:
					return reason
				case op == vfs.OpSync && strings.Contains(name, "t-5"):
					return syscall.EIO
				case op == vfs.OpSync && strings.HasSuffix(name, ".log"):
					g.pass()
				}
				return nil
			})
			fillRound(t, g, logs)
			for i, l := range logs {
				if i == 5 {
					require.ErrorIs(t, <-l.failed, syscall.EIO)
					require.Empty(t, l.durable, "what did not reach the disk is not announced")
					continue
				}
				require.Equal(t, int64(1), <-l.durable)
			}
			faulty.Inject(nil)
			require.Error(t, s.Close(), "one log failed, so the stop is not clean")
		})
	}
}

// TestALogIsOnceInARound: a log waits for a round, is flushed by somebody else, and
// is then appended to. It must be queued only once: the round would otherwise wait
// for itself.
func TestALogIsOnceInARound(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewStrictMem())
	s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
	require.NoError(t, err)
	logs := openSeveral(t, s, 2)
	g := newGate()
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.Contains(name, "t-0") && strings.HasSuffix(name, ".log") {
			g.pass()
		}
		return nil
	})
	appendOne(t, logs[0].Log)
	<-g.inside
	appendOne(t, logs[1].Log)
	require.NoError(t, logs[1].Sync(t.Context()))
	require.Equal(t, int64(1), <-logs[1].durable)
	appendOne(t, logs[1].Log)
	close(g.open)
	select {
	case end := <-logs[1].durable:
		require.Equal(t, int64(2), end)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the round waits for itself")
	}
	faulty.Inject(nil)
	require.NoError(t, s.Close())
}

// TestCheckpointsDuringRounds: a checkpoint syncs logs that wait for a round at the
// same time. No log may be in one round twice.
func TestCheckpointsDuringRounds(t *testing.T) {
	t.Parallel()
	s, err := commitlog.Open(commitlog.Config{FS: vfs.NewStrictMem(), Dir: "/data"})
	require.NoError(t, err)
	logs := openSeveral(t, s, 6)
	const each = 500
	var wg sync.WaitGroup
	for _, l := range logs {
		wg.Go(func() {
			for range each {
				appendOne(t, l.Log)
			}
		})
		wg.Go(func() {
			for end := int64(0); end < each; end = <-l.durable {
			}
		})
	}
	for range 50 {
		require.NoError(t, s.Checkpoint())
	}
	wg.Wait()
	require.NoError(t, s.Close())
}

// TestLogsAreOpenedDuringACheckpoint: a topic can be created, and appended to, while
// the disk is slow to write the checkpoint files.
func TestLogsAreOpenedDuringACheckpoint(t *testing.T) {
	t.Parallel()
	g := newGate()
	faulty := vfs.NewFaulty(vfs.NewMem())
	store, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
	require.NoError(t, err)
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpSync && strings.Contains(name, "recovery-point") {
			g.pass()
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- store.WriteCheckpoints() }()
	<-g.inside
	logs := openSeveral(t, store, 1)
	appendOne(t, logs[0].Log)
	<-logs[0].durable
	faulty.Inject(nil)
	close(g.open)
	require.NoError(t, <-done)
	require.NoError(t, store.Close())
}
