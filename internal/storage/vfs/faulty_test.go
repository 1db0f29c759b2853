package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/vfs"
)

var errDisk = errors.New("input/output error")

func failing(on vfs.Op, err error) func(vfs.Op, string) error {
	return func(op vfs.Op, _ string) error {
		if op == on {
			return err
		}
		return nil
	}
}

func TestFaultyWrites(t *testing.T) {
	t.Parallel()
	m := vfs.NewFaulty(vfs.NewStrictMem())
	f := create(t, m, "/f")
	m.Inject(failing(vfs.OpWrite, syscall.ENOSPC))
	n, err := f.WriteAt([]byte("abcdef"), 0)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 3, n)
	m.Inject(failing(vfs.OpWrite, &vfs.FaultError{Err: errDisk, Done: 5}))
	n, err = f.WriteAt([]byte("ABCDEF"), 0)
	require.ErrorIs(t, err, errDisk)
	require.Equal(t, 5, n)
	m.Inject(failing(vfs.OpRead, &vfs.FaultError{Err: errDisk, Done: 2}))
	p := make([]byte, 5)
	n, err = f.ReadAt(p, 0)
	require.ErrorIs(t, err, errDisk)
	require.Equal(t, "AB", string(p[:n]))
	m.Inject(nil)
	require.Equal(t, []string{"/f=ABCDE"}, names(t, m))
}

// TestForgottenPages shows what a failed fsync leaves on Linux: the next one succeeds
// and proves nothing.
func TestForgottenPages(t *testing.T) {
	t.Parallel()
	for _, forget := range []bool{false, true} {
		mem := vfs.NewStrictMem()
		m := vfs.NewFaulty(mem)
		f := create(t, m, "/f")
		require.NoError(t, m.SyncDir("/"))
		write(t, f, 0, []byte("a"))
		require.NoError(t, f.Sync())
		write(t, f, 1, []byte("b"))
		m.Inject(failing(vfs.OpSync, &vfs.FaultError{Err: errDisk, Forget: forget}))
		require.ErrorIs(t, f.Sync(), errDisk)
		m.Inject(nil)
		write(t, f, 2, []byte("c"))
		require.NoError(t, f.Sync())
		require.Equal(t, []string{"/f=abc"}, names(t, m), "readers see it all the same")
		if want := "/f=abc"; forget {
			require.Equal(t, []string{"/f=a\x00c"}, names(t, mem.Crash()))
		} else {
			require.Equal(t, []string{want}, names(t, mem.Crash()))
		}
	}
}

func TestEveryOperationCanFail(t *testing.T) {
	t.Parallel()
	m := vfs.NewFaulty(vfs.NewStrictMem())
	volume, err := m.OpenVolume("/")
	require.NoError(t, err)
	f := create(t, m, "/f")
	for op, call := range map[vfs.Op]func() error{
		vfs.OpOpen: func() error {
			_, err := m.OpenFile("/f", os.O_RDWR)
			return err
		},
		vfs.OpSync: f.Sync, vfs.OpTruncate: func() error { return f.Truncate(0) },
		vfs.OpRename: func() error { return m.Rename("/f", "/g") }, vfs.OpSyncDir: func() error { return m.SyncDir("/") },
		vfs.OpSyncFS: volume.Sync, vfs.OpMkdir: func() error { return m.MkdirAll("/d") },
		vfs.OpRemove: func() error { return errors.Join(m.Remove("/f"), m.RemoveAll("/f")) },
		vfs.OpList: func() error {
			_, err := m.ReadDir("/")
			return err
		},
		vfs.OpPreallocate: func() error { return f.Preallocate(0, 1) },
	} {
		m.Inject(failing(op, errDisk))
		require.ErrorIs(t, call(), errDisk, string(op))
	}
	m.Inject(nil)
	require.Equal(t, []string{"/f="}, names(t, m), "what failed did nothing")
}

// TestFileSystemsAgree does the same to the operating system's file system and to
// the one in memory.
func TestFileSystemsAgree(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, fs := range []vfs.FS{vfs.OS{}, vfs.NewMem(), vfs.NewStrictMem(), vfs.NewFaulty(vfs.NewStrictMem())} {
		at := func(name string) string { return filepath.Join(root, name) }
		require.NoError(t, vfs.MkdirDurably(fs, at("d/e")))
		require.NoError(t, fs.MkdirAll(at("d/e")))
		_, err := fs.OpenFile(at("none/f"), os.O_RDWR|os.O_CREATE)
		require.ErrorIs(t, err, os.ErrNotExist)
		_, err = fs.OpenFile(at("d/f"), os.O_RDWR)
		require.ErrorIs(t, err, os.ErrNotExist)
		f := create(t, fs, at("d/f"))
		write(t, f, 3, []byte("x"))
		require.NoError(t, f.Truncate(2))
		require.NoError(t, f.Truncate(5))
		if err := f.Preallocate(0, 100); err != nil {
			require.ErrorIs(t, err, errors.ErrUnsupported)
		}
		require.NoError(t, f.Sync())
		size, err := f.Size()
		require.NoError(t, err)
		require.Equal(t, int64(5), size, "neither a cut nor a reservation leaves anything behind")
		require.NoError(t, f.Close())
		_, err = fs.OpenFile(at("d/f"), os.O_RDWR|os.O_CREATE|os.O_EXCL)
		require.ErrorIs(t, err, os.ErrExist)
		require.Error(t, fs.Remove(at("d")), "not empty")
		require.ErrorIs(t, fs.Mkdir(at("d")), os.ErrExist)
		require.ErrorIs(t, fs.Mkdir(at("none/d")), os.ErrNotExist)
		require.NoError(t, fs.Mkdir(at("made")))
		for _, content := range []string{"", "whole"} {
			name := at("made/" + content + ".txt")
			require.NoError(t, vfs.CreateUnsynced(fs, name, []byte(content)))
			require.ErrorIs(t, vfs.CreateUnsynced(fs, name, nil), os.ErrExist)
			got, err := vfs.ReadFile(fs, name)
			require.NoError(t, err)
			require.Equal(t, content, string(got))
		}
		require.ErrorIs(t, vfs.CreateUnsynced(fs, at("none/f"), nil), os.ErrNotExist)
		require.ErrorIs(t, fs.Rename(at("none"), at("g")), os.ErrNotExist)
		require.NoError(t, fs.Rename(at("d/f"), at("d/g")))
		require.NoError(t, fs.Rename(at("d"), at("h")))
		infos, err := fs.ReadDir(at("h"))
		require.NoError(t, err)
		require.Len(t, infos, 2)
		require.Equal(t, "e", infos[0].Name)
		require.True(t, infos[0].Dir)
		require.Equal(t, "g", infos[1].Name)
		require.Equal(t, int64(5), infos[1].Size)
		content, err := vfs.ReadFile(fs, at("h/g"))
		require.NoError(t, err)
		require.Equal(t, make([]byte, 5), content)
		if v, err := fs.OpenVolume(root); err != nil {
			require.ErrorIs(t, err, errors.ErrUnsupported)
		} else {
			require.NoError(t, v.Sync())
			require.NoError(t, v.Close())
		}
		lock, err := fs.Lock(at("lock"))
		require.NoError(t, err)
		_, err = fs.Lock(at("lock"))
		require.ErrorIs(t, err, vfs.ErrLocked)
		require.NoError(t, lock.Close())
		require.NoError(t, fs.RemoveAll(at("h")))
		require.NoError(t, fs.RemoveAll(at("h")), "it is gone already")
		there, err := vfs.Exists(fs, at("h"))
		require.NoError(t, err)
		require.False(t, there)
	}
}

// TestAVolumeForgetsOnce shows what a failed syncfs leaves on Linux: the next one
// succeeds, and only syncs of the files report what was lost.
func TestAVolumeForgetsOnce(t *testing.T) {
	t.Parallel()
	mem := vfs.NewStrictMem()
	m := vfs.NewFaulty(mem)
	volume, err := m.OpenVolume("/")
	require.NoError(t, err)
	lost, clean := create(t, m, "/lost"), create(t, m, "/clean")
	require.NoError(t, volume.Sync())
	write(t, lost, 0, []byte("a"))
	m.Inject(failing(vfs.OpSyncFS, &vfs.FaultError{Err: errDisk, Forget: true}))
	require.ErrorIs(t, volume.Sync(), errDisk)
	m.Inject(nil)
	require.NoError(t, volume.Sync(), "reported only once")
	require.NoError(t, clean.Sync())
	require.ErrorIs(t, lost.Sync(), errDisk)
	require.NoError(t, lost.Sync(), "reported only once")
	require.Equal(t, []string{"/clean=", "/lost=a"}, names(t, m))
	require.Equal(t, []string{"/clean=", "/lost=\x00"}, names(t, mem.Crash()))
}
