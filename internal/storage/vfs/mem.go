package vfs

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mem is a file system in memory. It remembers what was synced: [Mem.Crash]
// gives the file system that a power cut would leave behind.
type Mem struct {
	mu      sync.Mutex
	files   map[string]*memNode // by cleaned path; what processes see
	durable map[string]*memNode // the directory entries that survive a crash
	locks   map[string]bool
	strict  bool
}

// memNode is a file or directory. content and synced are guarded by mu.
type memNode struct {
	mu      sync.RWMutex
	dir     bool
	content []byte
	synced  []byte
	strict  bool
	modTime time.Time
}

// NewMem returns an empty file system that does not track durability: Crash on
// it loses everything.
func NewMem() *Mem {
	return &Mem{files: map[string]*memNode{}, durable: map[string]*memNode{}, locks: map[string]bool{}}
}

// NewStrictMem returns an empty file system that tracks what was synced.
func NewStrictMem() *Mem {
	m := NewMem()
	m.strict = true
	return m
}

// Crash returns the file system after a power cut: files as they were synced,
// under the names that synced directories gave them. The old one stays usable.
func (m *Mem) Crash() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewStrictMem()
	for name, n := range m.durable {
		n.mu.RLock()
		content := slices.Clone(n.synced)
		after.files[name] = &memNode{dir: n.dir, content: content, synced: slices.Clone(content), strict: true, modTime: n.modTime}
		n.mu.RUnlock()
	}
	after.durable = maps.Clone(after.files)
	return after
}

func notExist(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// OpenFile opens or creates a file.
func (m *Mem) OpenFile(name string, flag int) (File, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, notExist("open", name)
	case n != nil && n.dir:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case n != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n == nil:
		if d := m.files[filepath.Dir(name)]; d == nil || !d.dir {
			return nil, notExist("open", name)
		}
		n = &memNode{strict: m.strict, modTime: time.Now()}
		m.files[name] = n
	case flag&os.O_TRUNC != 0:
		n.mu.Lock()
		n.content = nil
		n.mu.Unlock()
	}
	return memFile{n}, nil
}

// MkdirAll creates a directory and its parents. They are durable at once:
// what a crash does to directory creation is not what is tested with them.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name = filepath.Clean(name); ; name = filepath.Dir(name) {
		if n := m.files[name]; n == nil {
			n = &memNode{dir: true, modTime: time.Now()}
			m.files[name], m.durable[name] = n, n
		} else if !n.dir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
		}
		if filepath.Dir(name) == name {
			return nil
		}
	}
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files[name]
	if n == nil {
		return notExist("remove", name)
	}
	if n.dir {
		for other := range m.files {
			if filepath.Dir(other) == name && other != name {
				return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrInvalid}
			}
		}
		delete(m.durable, name)
	}
	delete(m.files, name)
	return nil
}

// RemoveAll removes a tree, durably.
func (m *Mem) RemoveAll(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := func(other string, _ *memNode) bool {
		return other == name || strings.HasPrefix(other, name+string(filepath.Separator))
	}
	maps.DeleteFunc(m.files, gone)
	maps.DeleteFunc(m.durable, gone)
	return nil
}

// Rename moves a file, or a directory with all that is in it; the latter is
// durable at once.
func (m *Mem) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files[from]
	if n == nil {
		return notExist("rename", from)
	}
	m.files[to] = n
	delete(m.files, from)
	if !n.dir {
		return nil
	}
	prefix := from + string(filepath.Separator)
	for _, entries := range []map[string]*memNode{m.files, m.durable} {
		for name, child := range maps.Clone(entries) {
			if strings.HasPrefix(name, prefix) {
				entries[to+name[len(from):]] = child
				delete(entries, name)
			}
		}
	}
	delete(m.durable, from)
	m.durable[to] = n
	return nil
}

// ReadDir lists a directory.
func (m *Mem) ReadDir(name string) ([]Info, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.files[name]; d == nil || !d.dir {
		return nil, notExist("readdir", name)
	}
	var infos []Info
	for other, n := range m.files {
		if other != name && filepath.Dir(other) == name {
			infos = append(infos, n.info(filepath.Base(other)))
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (Info, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files[name]
	if n == nil {
		return Info{}, notExist("stat", name)
	}
	return n.info(filepath.Base(name)), nil
}

// SyncDir makes the entries of a directory durable.
func (m *Mem) SyncDir(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	in := func(other string, _ *memNode) bool { return other != name && filepath.Dir(other) == name }
	maps.DeleteFunc(m.durable, func(other string, n *memNode) bool { return in(other, n) && m.files[other] == nil })
	for other, n := range m.files {
		if in(other, n) {
			m.durable[other] = n
		}
	}
	return nil
}

type memLock func()

func (l memLock) Close() error {
	l()
	return nil
}

// Lock locks a name.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, ErrLocked
	}
	m.locks[name] = true
	return memLock(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locks, name)
	}), nil
}

// Space says that there is a terabyte, half of it free.
func (m *Mem) Space(string) (total, free int64, err error) { return 1 << 40, 1 << 39, nil }

func (n *memNode) info(name string) Info {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return Info{Name: name, Size: int64(len(n.content)), ModTime: n.modTime, Dir: n.dir}
}

type memFile struct{ n *memNode }

func (f memFile) ReadAt(p []byte, at int64) (int, error) {
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	if at >= int64(len(f.n.content)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.content[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f memFile) WriteAt(p []byte, at int64) (int, error) {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if end := int(at) + len(p); end > len(f.n.content) {
		f.n.content = slices.Grow(f.n.content, end-len(f.n.content))[:end]
	}
	f.n.modTime = time.Now()
	return copy(f.n.content[at:], p), nil
}

func (f memFile) Truncate(size int64) error {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if size <= int64(len(f.n.content)) {
		clear(f.n.content[size:])
		f.n.content = f.n.content[:size]
		return nil
	}
	f.n.content = append(f.n.content, make([]byte, int(size)-len(f.n.content))...)
	return nil
}

func (f memFile) Sync() error {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if f.n.strict {
		f.n.synced = append(f.n.synced[:0], f.n.content...)
	}
	return nil
}

func (f memFile) Size() (int64, error) {
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	return int64(len(f.n.content)), nil
}

func (memFile) Close() error { return nil }
