package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out the modification time, which nothing depends on.
func syncData(f *os.File) error {
	err := again(func() error { return unix.Fdatasync(int(f.Fd())) })
	return pathError("fdatasync", f.Name(), err)
}

// osVolume stays open: the system tells each open file once of a write that
// failed (since Linux 5.8), so one that is opened later might not be told.
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

// WillNeed has the system begin to read a part of a file, of n > 0 bytes. If the
// last of them is in memory they were asked for, or written, not long ago, and it
// is left at that: to look at each page costs more than to send them.
func WillNeed(f *os.File, at, n int64) {
	var last [1]byte
	if k, _ := unix.Preadv2(int(f.Fd()), [][]byte{last[:]}, at+n-1, unix.RWF_NOWAIT); k > 0 {
		return
	}
	_ = unix.Fadvise(int(f.Fd()), at, n, unix.FADV_WILLNEED) // advice
}
