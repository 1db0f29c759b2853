//go:build unix

package commitlog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockToRead takes a shared lock on a lock file without writing anything. taken is
// false if a broker has the exclusive lock: this broker by flock, Apache Kafka by a
// POSIX record lock.
func lockToRead(f *os.File) (taken bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	other := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &other); err != nil {
		return false, err
	}
	return other.Type == unix.F_UNLCK, nil
}
