package commitlog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

var createdSettings = storage.Settings{SegmentBytes: 1 << 20, SegmentMs: 1 << 40, IndexBytes: 1 << 16, IndexInterval: 4096, RetentionMs: -1, RetentionBytes: -1}

func createdHooks() storage.Hooks {
	return storage.Hooks{Settings: func() storage.Settings { return createdSettings }, Durable: func(int64) {}, Failed: func(error) {}}
}

// openMany opens partitions of a topic together.
func openMany(ctx context.Context, s *commitlog.Store, id topic.ID, name string, n int) ([]*commitlog.Log, error) {
	opening := s.NewOpening()
	logs := make([]*commitlog.Log, n)
	for i := range logs {
		l, _, err := opening.OpenLog(ctx, storage.Partition{Topic: name, ID: id, Index: int32(i)}, createdHooks())
		if err != nil {
			return nil, err
		}
		logs[i] = l
	}
	return logs, opening.Settle()
}

// TestCreatedIsDurable: once an Opening is settled, a power cut takes nothing of what it
// created.
func TestCreatedIsDurable(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			mem, id := vfs.NewStrictMem(), topic.NewID()
			s, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
			require.NoError(t, err)
			logs, err := openMany(t.Context(), s, id, "orders", n)
			require.NoError(t, err)
			cut := mem.Crash()
			for i := range logs {
				names, err := cut.Names(fmt.Sprintf("/data/orders-%d", i))
				require.NoError(t, err)
				require.Equal(t, []string{"00000000000000000000.log", "partition.metadata"}, names)
			}
			require.NoError(t, s.Close())
			s, err = commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
			require.NoError(t, err)
			require.True(t, s.Clean())
			_, err = openMany(t.Context(), s, id, "orders", n)
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

// TestCreatedAnew: whatever a power cut leaves of partitions that were being created,
// they can be created again.
func TestCreatedAnew(t *testing.T) {
	t.Parallel()
	mem, id := vfs.NewStrictMem(), topic.NewID()
	s, err := commitlog.Open(commitlog.Config{FS: mem, Dir: "/data"})
	require.NoError(t, err)
	opening := s.NewOpening()
	for i := range int32(5) {
		_, _, err := opening.OpenLog(t.Context(), storage.Partition{Topic: "orders", ID: id, Index: i}, createdHooks())
		require.NoError(t, err)
	}
	for seed := range uint64(200) {
		cut := mem.CrashRandomly(rand.New(rand.NewPCG(seed, 1)))
		after, err := commitlog.Open(commitlog.Config{FS: cut, Dir: "/data"})
		require.NoError(t, err)
		_, err = openMany(t.Context(), after, id, "orders", 5)
		require.NoError(t, err)
		require.NoError(t, after.Close())
	}
	require.NoError(t, s.Close())
}

// TestCreateFails: if only some files of a partition could be created, its name is free
// again.
func TestCreateFails(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"orders-0", "partition.metadata", "00000000000000000000.log"} {
		faulty := vfs.NewFaulty(vfs.NewMem())
		s, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
		require.NoError(t, err)
		faulty.Inject(func(op vfs.Op, name string) error {
			if (op == vfs.OpOpen || op == vfs.OpMkdir) && filepath.Base(name) == fails {
				return syscall.ENOSPC
			}
			return nil
		})
		_, err = openMany(t.Context(), s, topic.NewID(), "orders", 1)
		require.ErrorIs(t, err, syscall.ENOSPC)
		faulty.Inject(nil)
		_, err = openMany(t.Context(), s, topic.NewID(), "orders", 1)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
}

// BenchmarkCreatePartitions creates and deletes partitions on the disk.
func BenchmarkCreatePartitions(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := commitlog.Open(commitlog.Config{Dir: b.TempDir()})
			require.NoError(b, err)
			for i := 0; b.Loop(); i++ {
				logs, err := openMany(b.Context(), s, topic.NewID(), fmt.Sprintf("t%d", i), n)
				require.NoError(b, err)
				require.NoError(b, s.Delete(logs))
			}
			require.NoError(b, s.Close())
		})
	}
}
