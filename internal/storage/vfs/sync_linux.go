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

// syncFS returns only what the system reports: since Linux 5.8 that is an error
// of any write to the volume since it was opened.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = pathError("syncfs", dir, again(func() error { return unix.Syncfs(int(d.Fd())) }))
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func preallocate(f *os.File, from, to int64) error {
	err := again(func() error { return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, from, to-from) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return pathError("fallocate", f.Name(), err)
}
