package vfs

import (
	"fmt"
	"io"
	"os"
	"slices"
)

// OS is the file system of the operating system.
type OS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync makes the data and the size of the file durable.
func (f osFile) Sync() error { return syncData(f.File) }

// Preallocate reserves space where the system can.
func (f osFile) Preallocate(from, to int64) error { return preallocate(f.File, from, to) }

// OSFile returns the operating system's file behind a File of [OS], or nil.
func OSFile(f File) *os.File {
	if o, ok := f.(osFile); ok {
		return o.File
	}
	return nil
}

// New files are readable and writable by the owner, and readable by the group.
const (
	fileMode = 0o640
	dirMode  = 0o750
)

// OpenFile opens a file.
func (OS) OpenFile(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Mkdir creates a directory.
func (OS) Mkdir(name string) error { return os.Mkdir(name, dirMode) }

// MkdirAll creates a directory and its parents.
func (OS) MkdirAll(name string) error { return os.MkdirAll(name, dirMode) }

// Remove removes a file or an empty directory.
func (OS) Remove(name string) error { return os.Remove(name) }

// RemoveAll removes a tree.
func (OS) RemoveAll(name string) error { return os.RemoveAll(name) }

// Rename renames a file or directory.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// ReadDir lists a directory.
func (OS) ReadDir(name string) ([]Info, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if os.IsNotExist(err) {
			continue // removed since the listing
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, Info{Name: e.Name(), Size: info.Size(), ModTime: info.ModTime(), Dir: e.IsDir()})
	}
	return infos, nil
}

// Names lists the names in a directory.
func (OS) Names(name string) ([]string, error) {
	names, err := readNames(name)
	slices.Sort(names)
	return names, err
}

func (OS) readFile(name string) ([]byte, error) { return readFile(name) }

func (OS) createFile(name string, content []byte) error { return createFile(name, content) }

// Stat describes a file or directory.
func (OS) Stat(name string) (Info, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return Info{Name: info.Name(), Size: info.Size(), ModTime: info.ModTime(), Dir: info.IsDir()}, nil
}

// SyncDir syncs a directory if the system can.
func (OS) SyncDir(name string) error { return syncDir(name) }

// OpenVolume opens a volume if the system can sync one.
func (OS) OpenVolume(dir string) (Volume, error) { return openVolume(dir) }

// Lock locks a file, creating it if need be.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		_ = f.Close() // the lock error is what matters
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

// Space asks the system about the volume of a directory.
func (OS) Space(name string) (total, free int64, err error) { return space(name) }
