//go:build unix

package vfs

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

func space(name string) (total, free int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(s.Blocks) * int64(s.Bsize), int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // types differ by system
}

// firstRead is enough for most of the many small files of a data directory.
const firstRead = 4 << 10

// readFile does with three calls what os.ReadFile does with six: a broker reads
// tens of thousands of small files when it starts.
func readFile(name string) (content []byte, err error) {
	fd, err := openRead(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	content = make([]byte, 0, firstRead)
	for {
		var n int
		free := content[len(content):cap(content)]
		if err := again(func() (err error) { n, err = unix.Read(fd, free); return err }); err != nil {
			return nil, pathError("read", name, err)
		}
		content = content[:len(content)+n]
		// A read that meets a bad page returns what comes before the page. Nothing comes
		// before the first page, so a short read within it is the end of the file.
		if n == 0 || n < len(free) && len(content) < firstRead {
			return content, nil
		}
		if n == len(free) {
			content = slices.Grow(content, cap(content))
		}
	}
}

// createFile does with two or three calls what package os does with four or five: a
// broker creates tens of thousands of small files for one request.
func createFile(name string, content []byte) error {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, fileMode)
		return err
	})
	if err != nil {
		return pathError("open", name, err)
	}
	for len(content) > 0 && err == nil {
		var n int
		err = again(func() (err error) { n, err = unix.Write(fd, content); return err })
		content = content[max(n, 0):]
	}
	if cerr := unix.Close(fd); err == nil && !errors.Is(cerr, unix.EINTR) { // an interrupted close has closed the file too
		err = cerr
	}
	return pathError("write", name, err)
}

// readNames does what os.File.Readdirnames does, with fewer calls around it.
func readNames(name string) (names []string, err error) {
	fd, err := openRead(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	buf := make([]byte, 2*firstRead)
	for {
		var n int
		if err := again(func() (err error) { n, err = unix.ReadDirent(fd, buf); return err }); err != nil {
			return nil, pathError("readdirent", name, err)
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

func openRead(name string) (fd int, err error) {
	err = again(func() (err error) { fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0); return err })
	return fd, pathError("open", name, err)
}

// again repeats a call that a signal interrupts.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}
