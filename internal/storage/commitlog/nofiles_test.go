package commitlog_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/storagetest"
	"github.com/botehq/bote/internal/storage/vfs"
	"github.com/botehq/bote/internal/topic"
)

// tooMany is the error of a system that can open no more files.
func tooMany(name string) error { return &os.PathError{Op: "open", Path: name, Err: syscall.EMFILE} }

// TestSyncWaitsForFiles: a process that can open no more files has lost nothing.
// What it cannot sync is not announced until files can be opened again, and then
// is.
func TestSyncWaitsForFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		refuses func(op vfs.Op, name string) bool
	}{
		{"index", func(op vfs.Op, name string) bool { return op == vfs.OpOpen && strings.HasSuffix(name, "index") }},
		{"directory", func(op vfs.Op, _ string) bool { return op == vfs.OpSyncDir }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewStrictMem()
			faulty := vfs.NewFaulty(mem)
			p := openProbe(t, commitlog.Config{FS: faulty})
			p.settings.SegmentBytes = 100
			require.NoError(t, p.Append(p.batch("before")))
			p.await(t, 1)
			rolled, refused := make(chan struct{}), make(chan struct{})
			faulty.Inject(func(op vfs.Op, name string) error {
				if op == vfs.OpSync {
					<-rolled // rolling opens the new segment's files
				}
				select {
				case <-rolled:
				default:
					return nil
				}
				if !c.refuses(op, name) {
					return nil
				}
				select {
				case refused <- struct{}{}:
				case <-t.Context().Done():
				}
				return tooMany(name)
			})
			require.NoError(t, p.Append(p.batch("kept")))
			close(rolled)
			for range 5 {
				select {
				case <-refused:
				case err := <-p.failed:
					t.Fatalf("the log failed: %v", err)
				}
			}
			require.EqualValues(t, 1, p.durable.Load(), "announced without a sync")
			faulty.Inject(nil)
			select {
			case <-refused: // a sync that was under way
			case <-p.moved:
			}
			p.await(t, 2)
			require.Empty(t, p.failed)
			require.NoError(t, p.store.Close())

			after := openProbe(t, commitlog.Config{FS: mem.Crash()})
			require.Equal(t, []string{"before", "kept"}, after.values(t))
			require.NoError(t, after.store.Close())
		})
	}
}

// TestCreateIsUndone: what is left of a partition that could not be created must
// not keep its name from the next topic.
func TestCreateIsUndone(t *testing.T) {
	t.Parallel()
	faulty := vfs.NewFaulty(vfs.NewMem())
	store, err := commitlog.Open(commitlog.Config{FS: faulty, Dir: "/data"})
	require.NoError(t, err)
	faulty.Inject(func(op vfs.Op, name string) error {
		if op == vfs.OpOpen && strings.HasSuffix(name, ".log") || op == vfs.OpRemove {
			return tooMany(name) // removing a directory opens it
		}
		return nil
	})
	p := testPartition
	hooks := storage.Hooks{
		Settings: func() storage.Settings { return storagetest.Settings }, Durable: func(int64) {}, Failed: func(error) {},
		Snapshot: func() ([]byte, int64) { return nil, 0 }, Deletable: func() int64 { return 0 }, Turn: func(f func() error) error { return f() }, StartMoved: func(int64) {},
	}
	_, _, err = store.OpenLog(t.Context(), p, hooks)
	require.ErrorIs(t, err, syscall.EMFILE)
	faulty.Inject(nil)
	p.ID = topic.ID{9}
	_, _, err = store.OpenLog(t.Context(), p, hooks)
	require.NoError(t, err)
	require.NoError(t, store.Close())
}
