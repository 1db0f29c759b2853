package vfs

import (
	"io"
	"sync/atomic"
)

// Op names what a [Faulty] file system is about to do.
type Op string

// The operations that a Faulty file system can be told to fail.
const (
	OpOpen     Op = "open"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpRename   Op = "rename"
	OpSyncDir  Op = "syncdir"
	OpSyncFS   Op = "syncfs"

	OpPreallocate Op = "preallocate"
)

// Faulty wraps a file system and fails what Inject says.
type Faulty struct {
	FS
	inject atomic.Pointer[func(op Op, name string) error]
}

// NewFaulty wraps a file system; nothing fails until Inject is called.
func NewFaulty(f FS) *Faulty { return &Faulty{FS: f} }

// Inject sets the function that decides, before each operation, whether it
// fails and how. Nil ends all faults. A failing write writes half of its bytes.
func (f *Faulty) Inject(decide func(op Op, name string) error) {
	if decide == nil {
		f.inject.Store(nil)
		return
	}
	f.inject.Store(&decide)
}

func (f *Faulty) fault(op Op, name string) error {
	if decide := f.inject.Load(); decide != nil {
		return (*decide)(op, name)
	}
	return nil
}

// OpenFile opens a file whose operations may fail.
func (f *Faulty) OpenFile(name string, flag int) (File, error) {
	if err := f.fault(OpOpen, name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return faultyFile{file, f, name}, nil
}

// Rename renames unless told otherwise.
func (f *Faulty) Rename(from, to string) error {
	if err := f.fault(OpRename, to); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

// SyncDir syncs unless told otherwise.
func (f *Faulty) SyncDir(name string) error {
	if err := f.fault(OpSyncDir, name); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

// SyncFS syncs unless told otherwise.
func (f *Faulty) SyncFS(dir string) error {
	if err := f.fault(OpSyncFS, dir); err != nil {
		return err
	}
	return f.FS.SyncFS(dir)
}

// Lock passes through.
func (f *Faulty) Lock(name string) (io.Closer, error) { return f.FS.Lock(name) }

type faultyFile struct {
	File
	fs   *Faulty
	name string
}

func (f faultyFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.fs.fault(OpRead, f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f faultyFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.fs.fault(OpWrite, f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], at) // a short write, as a full disk makes it
		return n, err
	}
	return f.File.WriteAt(p, at)
}

func (f faultyFile) Truncate(size int64) error {
	if err := f.fs.fault(OpTruncate, f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f faultyFile) Sync() error {
	if err := f.fs.fault(OpSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f faultyFile) Preallocate(from, to int64) error {
	if err := f.fs.fault(OpPreallocate, f.name); err != nil {
		return err
	}
	return f.File.Preallocate(from, to)
}
