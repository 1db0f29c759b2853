package vfs

import (
	"errors"
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
	OpMkdir    Op = "mkdir"
	OpRemove   Op = "remove"
	OpList     Op = "list"

	OpPreallocate Op = "preallocate"
)

// FaultError is an error that says how an operation fails. Any other error makes
// the operation fail in the default way.
type FaultError struct {
	Err error
	// Done is how many bytes a failing write or read still transfers. By default a
	// write transfers half of its bytes and a read none.
	Done int
	// Forget makes a failing Sync in memory lose what it should have written, as Linux
	// does: it can still be read, but no later sync writes it. If it was a Sync of the
	// volume, the next Sync of each file that lost something fails too.
	Forget bool
}

// Error makes a FaultError an error.
func (f *FaultError) Error() string { return f.Err.Error() }

// Unwrap returns the underlying error.
func (f *FaultError) Unwrap() error { return f.Err }

// forgetter is a file or a volume that can lose what was not synced.
type forgetter interface{ forgetUnsynced(err error) }

// forget drops unsynced data if the fault asks for it.
func forget(what any, err error) {
	how, ok := errors.AsType[*FaultError](err)
	f, can := what.(forgetter)
	if ok && can && how.Forget {
		f.forgetUnsynced(how.Err)
	}
}

// Faulty wraps a file system and makes operations fail as Inject says.
type Faulty struct {
	FS
	inject atomic.Pointer[func(op Op, name string) error]
}

// NewFaulty wraps a file system; nothing fails until Inject is called.
func NewFaulty(f FS) *Faulty { return &Faulty{FS: f} }

// Inject sets the function that decides, before each operation, whether and how it
// fails. Nil ends all faults.
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

// Mkdir creates unless told otherwise.
func (f *Faulty) Mkdir(name string) error {
	if err := f.fault(OpMkdir, name); err != nil {
		return err
	}
	return f.FS.Mkdir(name)
}

// MkdirAll creates unless told otherwise.
func (f *Faulty) MkdirAll(name string) error {
	if err := f.fault(OpMkdir, name); err != nil {
		return err
	}
	return f.FS.MkdirAll(name)
}

// Remove removes unless told otherwise.
func (f *Faulty) Remove(name string) error {
	if err := f.fault(OpRemove, name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// RemoveAll removes unless told otherwise.
func (f *Faulty) RemoveAll(name string) error {
	if err := f.fault(OpRemove, name); err != nil {
		return err
	}
	return f.FS.RemoveAll(name)
}

// ReadDir lists unless told otherwise.
func (f *Faulty) ReadDir(name string) ([]Info, error) {
	if err := f.fault(OpList, name); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
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

// OpenVolume opens a volume whose syncs may fail.
func (f *Faulty) OpenVolume(dir string) (Volume, error) {
	v, err := f.FS.OpenVolume(dir)
	if err != nil {
		return nil, err
	}
	return faultyVolume{v, f, dir}, nil
}

type faultyVolume struct {
	Volume
	fs  *Faulty
	dir string
}

func (v faultyVolume) Sync() error {
	if err := v.fs.fault(OpSyncFS, v.dir); err != nil {
		forget(v.Volume, err)
		return err
	}
	return v.Volume.Sync()
}

// Lock passes through.
func (f *Faulty) Lock(name string) (io.Closer, error) { return f.FS.Lock(name) }

type faultyFile struct {
	File
	fs   *Faulty
	name string
}

func (f faultyFile) ReadAt(p []byte, at int64) (int, error) {
	err := f.fs.fault(OpRead, f.name)
	if err == nil {
		return f.File.ReadAt(p, at)
	}
	n := 0
	if how, ok := errors.AsType[*FaultError](err); ok {
		n, _ = f.File.ReadAt(p[:min(how.Done, len(p))], at) // the fault is what matters
	}
	return n, err
}

func (f faultyFile) WriteAt(p []byte, at int64) (int, error) {
	err := f.fs.fault(OpWrite, f.name)
	if err == nil {
		return f.File.WriteAt(p, at)
	}
	n := len(p) / 2 // a short write, as a full disk makes it
	if how, ok := errors.AsType[*FaultError](err); ok && how.Done > 0 {
		n = min(how.Done, len(p))
	}
	n, _ = f.File.WriteAt(p[:n], at) // the fault is what matters
	return n, err
}

func (f faultyFile) Truncate(size int64) error {
	if err := f.fs.fault(OpTruncate, f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f faultyFile) Sync() error {
	err := f.fs.fault(OpSync, f.name)
	if err == nil {
		return f.File.Sync()
	}
	forget(f.File, err)
	return err
}

func (f faultyFile) Preallocate(from, to int64) error {
	if err := f.fs.fault(OpPreallocate, f.name); err != nil {
		return err
	}
	return f.File.Preallocate(from, to)
}
