package commitlog

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockToRead takes a shared lock on a lock file without writing anything. taken is
// false if a broker has the exclusive lock.
func lockToRead(f *os.File) (taken bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
