// Package vfs is the seam between the storage engine and a file system.
//
// Everything the engine does to a disk goes through an [FS]. So tests can keep the
// file system in memory, crash it and make it fail. [OS] is the real one; [NewMem]
// lives in memory and can forget what was not synced; [Faulty] wraps either and
// injects errors.
//
// Errors are those of package io/fs: fs.ErrNotExist and fs.ErrExist match.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// FS is a file system. Names use the separator of the operating system. All
// methods may be called concurrently.
type FS interface {
	// OpenFile opens with the flags of package os.
	OpenFile(name string, flag int) (File, error)
	// Mkdir creates a directory whose parent exists.
	Mkdir(name string) error
	// MkdirAll creates a directory and its missing parents.
	MkdirAll(name string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	RemoveAll(name string) error
	// Rename replaces the target if it is a file.
	Rename(from, to string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]Info, error)
	// Names lists the names in a directory, sorted. It is cheaper than ReadDir.
	Names(name string) ([]string, error)
	Stat(name string) (Info, error)
	// SyncDir makes creations, renames and removals in a directory durable.
	SyncDir(name string) error
	// OpenVolume opens the volume that holds a directory, to sync all of it. If the
	// system cannot sync a volume, or does not report what went wrong, the error
	// matches errors.ErrUnsupported.
	OpenVolume(dir string) (Volume, error)
	// Lock takes an exclusive lock that ends with the process; closing it releases it.
	// If another process holds the lock, the error is [ErrLocked].
	Lock(name string) (io.Closer, error)
	// Space returns the size and the free bytes of the volume of a directory.
	Space(name string) (total, free int64, err error)
}

// File is an open file. Reads and writes name their position, so a File has no
// cursor and may be read while it is appended to.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync makes content and size durable.
	Sync() error
	Size() (int64, error)
	// Preallocate reserves space for the bytes from one position to another without
	// changing the size. It only makes later writes cheaper. If the system cannot do
	// that, the error matches errors.ErrUnsupported.
	Preallocate(from, to int64) error
}

// Volume is an open volume.
type Volume interface {
	// Sync makes everything on the volume durable: contents, sizes and directory
	// entries. It reports any write to the volume that failed since the volume was
	// opened or last synced, even if somebody else was told of it too.
	Sync() error
	io.Closer
}

// Info describes a directory entry.
type Info struct {
	Name    string
	Size    int64
	ModTime time.Time
	Dir     bool
}

// ErrWouldWait is returned by ReadCached if the read may have to wait for the disk.
var ErrWouldWait = errors.New("the read would wait for the disk")

// ReadCached reads all of p if the system has it in memory, and never waits for a
// disk. If it is not known to be there, nothing is read.
func ReadCached(f File, p []byte, at int64) (int, error) {
	if o := OSFile(f); o != nil {
		return readCached(o, p, at)
	}
	return 0, ErrWouldWait
}

// ErrLocked is returned by Lock when another process holds the lock.
var ErrLocked error = lockedError{}

type lockedError struct{}

func (lockedError) Error() string { return "locked by another process" }

// ReadFile returns the whole content of a file.
func ReadFile(f FS, name string) ([]byte, error) {
	if whole, ok := f.(interface{ readFile(string) ([]byte, error) }); ok {
		return whole.readFile(name)
	}
	file, err := f.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	p := make([]byte, size)
	n, err := file.ReadAt(p, 0)
	if err != nil && err != io.EOF { //nolint:errorlint // ReadAt's contract
		return nil, err
	}
	return p[:n], nil
}

// CreateUnsynced creates a new file with a content, without syncing anything: after
// a crash it may be missing, empty or torn.
func CreateUnsynced(f FS, name string, content []byte) error {
	if whole, ok := f.(interface {
		createFile(name string, content []byte) error
	}); ok {
		return whole.createFile(name, content)
	}
	file, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if len(content) > 0 {
		_, err = file.WriteAt(content, 0)
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}

// WriteFile replaces a file in one step: it writes name.tmp, syncs it, renames
// it and syncs the directory. After a crash the old or the new content is there.
func WriteFile(f FS, dir, name string, content []byte) error {
	if err := replace(f, dir, name, content, true); err != nil {
		return err
	}
	return f.SyncDir(dir)
}

// WriteUnsynced replaces a file without syncing anything: after a crash it may be
// old, missing, empty or torn. Use it for files that can be rebuilt and whose
// content shows whether it is whole.
func WriteUnsynced(f FS, dir, name string, content []byte) error {
	return replace(f, dir, name, content, false)
}

func replace(f FS, dir, name string, content []byte, sync bool) error {
	sep := string(os.PathSeparator)
	tmp := dir + sep + name + ".tmp"
	file, err := f.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = file.WriteAt(content, 0); err == nil && sync {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = f.Rename(tmp, dir+sep+name)
	}
	if err != nil {
		_ = f.Remove(tmp) // the first error is what matters
	}
	return err
}

// MkdirDurably creates a directory and its missing parents, so that a crash does
// not remove those that it created.
func MkdirDurably(f FS, name string) error {
	var above []string // directories that get a new entry, the lowest first
	for at := filepath.Clean(name); ; at = filepath.Dir(at) {
		there, err := Exists(f, at)
		if err != nil {
			return err
		}
		if there || filepath.Dir(at) == at {
			break
		}
		above = append(above, filepath.Dir(at))
	}
	if err := f.MkdirAll(name); err != nil {
		return err
	}
	for _, dir := range slices.Backward(above) {
		// A process that may create names in a directory need not be allowed to read it.
		if err := f.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// Exists reports whether a name exists.
func Exists(f FS, name string) (bool, error) {
	_, err := f.Stat(name)
	if err == nil {
		return true, nil
	}
	if os.IsNotExist(err) {
		return false, nil
	}
	return false, err
}
