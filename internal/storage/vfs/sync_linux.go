package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData does not sync the modification time, on which nothing depends.
func syncData(f *os.File) error {
	err := again(func() error { return unix.Fdatasync(int(f.Fd())) })
	return pathError("fdatasync", f.Name(), err)
}

// osVolume stays open: the system reports a failed write once to each file that was
// open (since Linux 5.8), so a file that is opened later might not be told.
type osVolume struct{ *os.File }

func openVolume(dir string) (Volume, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return osVolume{d}, nil
}

func (v osVolume) Sync() error {
	return pathError("syncfs", v.Name(), again(func() error { return unix.Syncfs(int(v.Fd())) }))
}

func preallocate(f *os.File, from, to int64) error {
	err := again(func() error { return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, to-from) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return pathError("fallocate", f.Name(), err)
}

// AdviseSequential tells the system that a file is read mostly in order, so that it reads
// further ahead.
func AdviseSequential(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL) } // advice
