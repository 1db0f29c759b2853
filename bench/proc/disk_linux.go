package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Sync writes everything that is dirty on a directory's file system to the disk, so
// that one measurement does not pay for the one before.
func Sync(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // the directory of the measurement
	if err != nil {
		return fmt.Errorf("sync file system: %w", err)
	}
	defer func() { _ = f.Close() }() // opened only for its descriptor
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync file system: %w", err)
	}
	return nil
}

// Evict writes every file below a directory to the disk and makes the page cache
// forget it. Pages that a process has mapped stay.
func Evict(dir string) error {
	if err := Sync(dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the broker has removed it
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // a file of the measurement
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("evict: %w", err)
		}
		defer func() { _ = f.Close() }() // opened only for its descriptor
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			return fmt.Errorf("evict %s: %w", d.Name(), err)
		}
		return nil
	})
}

// RaiseFileLimit lets this process, and those that it starts, open as many files as
// the system allows, and returns that number.
func RaiseFileLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read file limit: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("raise file limit: %w", err)
	}
	return limit.Cur, nil
}
