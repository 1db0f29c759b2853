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
	files   tree // what processes see
	durable tree // the directory entries that survive a crash
	locks   map[string]bool
	strict  bool
}

// tree is the entries of a file system: nodes by cleaned path, and the paths in
// each directory.
type tree struct {
	nodes map[string]*memNode
	in    map[string]map[string]bool
}

func newTree() tree { return tree{nodes: map[string]*memNode{}, in: map[string]map[string]bool{}} }

func (t tree) put(name string, n *memNode) {
	t.nodes[name] = n
	dir := filepath.Dir(name)
	if dir == name {
		return
	}
	if t.in[dir] == nil {
		t.in[dir] = map[string]bool{}
	}
	t.in[dir][name] = true
}

func (t tree) drop(name string) {
	delete(t.nodes, name)
	delete(t.in[filepath.Dir(name)], name)
}

// dropAll drops a directory with everything below it.
func (t tree) dropAll(name string) {
	for child := range t.in[name] {
		t.dropAll(child)
	}
	delete(t.in, name)
	t.drop(name)
}

// move renames an entry with everything below it.
func (t tree) move(from, to string) {
	n := t.nodes[from]
	if n == nil {
		return
	}
	for child := range maps.Clone(t.in[from]) {
		t.move(child, filepath.Join(to, filepath.Base(child)))
	}
	delete(t.in, from)
	t.drop(from)
	t.put(to, n)
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
	return &Mem{files: newTree(), durable: newTree(), locks: map[string]bool{}}
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
	for name, n := range m.durable.nodes {
		n.mu.RLock()
		content := slices.Clone(n.synced)
		survivor := &memNode{dir: n.dir, content: content, synced: slices.Clone(content), strict: true, modTime: n.modTime}
		n.mu.RUnlock()
		after.files.put(name, survivor)
		after.durable.put(name, survivor)
	}
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
	n := m.files.nodes[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, notExist("open", name)
	case n != nil && n.dir:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case n != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n == nil:
		if d := m.files.nodes[filepath.Dir(name)]; d == nil || !d.dir {
			return nil, notExist("open", name)
		}
		n = &memNode{strict: m.strict, modTime: time.Now()}
		m.files.put(name, n)
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
		if n := m.files.nodes[name]; n == nil {
			n = &memNode{dir: true, modTime: time.Now()}
			m.files.put(name, n)
			m.durable.put(name, n)
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
	n := m.files.nodes[name]
	if n == nil {
		return notExist("remove", name)
	}
	if n.dir {
		if len(m.files.in[name]) > 0 {
			return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrInvalid}
		}
		m.durable.dropAll(name)
	}
	m.files.drop(name)
	return nil
}

// RemoveAll removes a tree, durably.
func (m *Mem) RemoveAll(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files.dropAll(name)
	m.durable.dropAll(name)
	return nil
}

// Rename moves a file, or a directory with all that is in it; the latter is
// durable at once.
func (m *Mem) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files.nodes[from]
	if n == nil {
		return notExist("rename", from)
	}
	m.files.move(from, to)
	if n.dir {
		m.durable.move(from, to)
	}
	return nil
}

// ReadDir lists a directory.
func (m *Mem) ReadDir(name string) ([]Info, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.files.nodes[name]; d == nil || !d.dir {
		return nil, notExist("readdir", name)
	}
	var infos []Info
	for child := range m.files.in[name] {
		infos = append(infos, m.files.nodes[child].info(filepath.Base(child)))
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (Info, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.files.nodes[name]
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
	for child := range maps.Clone(m.durable.in[name]) {
		if m.files.nodes[child] == nil {
			m.durable.dropAll(child)
		}
	}
	for child := range m.files.in[name] {
		m.durable.put(child, m.files.nodes[child])
	}
	return nil
}

// SyncFS makes everything durable.
func (m *Mem) SyncFS(dir string) error {
	if _, err := m.Stat(dir); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable = newTree()
	for name, n := range m.files.nodes {
		m.durable.put(name, n)
		if err := (memFile{n}).Sync(); err != nil {
			return err
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

// Preallocate has nothing to do.
func (memFile) Preallocate(int64, int64) error { return nil }
