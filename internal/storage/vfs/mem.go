package vfs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mem is a file system in memory. A strict one remembers what was synced, and
// [Mem.Crash], [Mem.CrashRandomly] and [Mem.Fork] give the file systems that a
// power cut or a kill would leave behind.
//
// It promises no more than POSIX: the bytes of a file survive once the file was
// synced, a name survives once its directory was synced, and neither implies the
// other.
type Mem struct {
	mu      sync.RWMutex // held for writing by changes of names and by a crash
	root    *memNode
	pending []dirOp // changes of names that are not durable, in order
	locks   map[string]bool
	strict  bool
}

// memNode is a file or a directory.
type memNode struct {
	dir     bool
	entries map[string]*memNode // what processes see; guarded by Mem.mu
	durable map[string]*memNode // what survives a crash; guarded by Mem.mu

	mu            sync.RWMutex // guards what follows
	content       []byte
	synced        []byte
	writes        []fileOp // operations on content since the last sync
	nextSyncError error    // error for the file's next sync: a failed sync of the volume lost bytes of the file
	modTime       time.Time
}

func newDir() *memNode {
	return &memNode{dir: true, entries: map[string]*memNode{}, durable: map[string]*memNode{}, modTime: time.Now()}
}

// place is a name in a directory.
type place struct {
	dir  *memNode
	name string
}

// dirOp is one change of names: a creation has only to, a removal only from, a
// rename both.
type dirOp struct {
	from, to place
	node     *memNode
}

// NewMem returns an empty file system that does not track durability: a Crash loses
// everything.
func NewMem() *Mem { return &Mem{root: newDir(), locks: map[string]bool{}} }

// NewStrictMem returns an empty file system that tracks what was synced.
func NewStrictMem() *Mem {
	m := NewMem()
	m.strict = true
	return m
}

// notExist, exists and invalid are the errors of package os.
func notExist(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }
func exists(op, name string) error   { return &fs.PathError{Op: op, Path: name, Err: fs.ErrExist} }
func invalid(op, name string) error  { return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid} }

// elements splits a path; the root has no elements.
func elements(name string) []string {
	return slices.DeleteFunc(strings.Split(filepath.Clean(name), string(os.PathSeparator)), func(e string) bool { return e == "" || e == "." })
}

// walk follows a path and returns nil if nothing is there. The caller holds mu.
func (m *Mem) walk(path []string) *memNode {
	n := m.root
	for _, e := range path {
		if n = n.entries[e]; n == nil { // a file has no entries
			return nil
		}
	}
	return n
}

// find returns the place of a name and the node there, nil if there is none; ok is
// false if the directory is missing. The caller holds mu.
func (m *Mem) find(name string) (at place, n *memNode, ok bool) {
	path := elements(name)
	if len(path) == 0 {
		return place{}, m.root, true
	}
	d := m.walk(path[:len(path)-1])
	if d == nil || !d.dir {
		return place{}, nil, false
	}
	at = place{d, path[len(path)-1]}
	return at, d.entries[at.name], true
}

// change applies a change of names and notes that it is not durable yet. The caller
// holds mu for writing.
func (m *Mem) change(op dirOp) {
	if op.from.dir != nil {
		delete(op.from.dir.entries, op.from.name)
	}
	if op.to.dir != nil {
		op.to.dir.entries[op.to.name] = op.node
	}
	if m.strict {
		m.pending = append(m.pending, op)
	}
}

// OpenFile opens or creates a file.
func (m *Mem) OpenFile(name string, flag int) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, n, ok := m.find(name)
	switch {
	case !ok, n == nil && flag&os.O_CREATE == 0:
		return nil, notExist("open", name)
	case n != nil && n.dir:
		return nil, invalid("open", name)
	case n != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, exists("open", name)
	case n == nil:
		n = &memNode{modTime: time.Now()}
		m.change(dirOp{to: at, node: n})
	case flag&os.O_TRUNC != 0:
		n.resize(0, m.strict)
	}
	return memFile{m, n}, nil
}

// Mkdir creates a directory.
func (m *Mem) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, n, ok := m.find(name)
	switch {
	case !ok:
		return notExist("mkdir", name)
	case n != nil:
		return exists("mkdir", name)
	}
	m.change(dirOp{to: at, node: newDir()})
	return nil
}

// MkdirAll creates a directory and its parents.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.root
	for _, e := range elements(name) {
		n := d.entries[e]
		switch {
		case n == nil:
			n = newDir()
			m.change(dirOp{to: place{d, e}, node: n})
		case !n.dir:
			return exists("mkdir", name)
		}
		d = n
	}
	return nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, n, ok := m.find(name)
	switch {
	case !ok || n == nil:
		return notExist("remove", name)
	case at.dir == nil || len(n.entries) > 0:
		return invalid("remove", name)
	}
	m.change(dirOp{from: at, node: n})
	return nil
}

// RemoveAll removes a tree, the leaves first.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, n, ok := m.find(name); ok && n != nil && at.dir != nil {
		m.removeAll(at, n)
	}
	return nil
}

func (m *Mem) removeAll(at place, n *memNode) {
	for _, e := range sortedNames(n.entries) {
		m.removeAll(place{n, e}, n.entries[e])
	}
	m.change(dirOp{from: at, node: n})
}

// Rename moves a file, or a directory with all that is in it.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, n, ok := m.find(from)
	at, target, there := m.find(to)
	switch {
	case !ok || n == nil || !there:
		return notExist("rename", from)
	case old.dir == nil || at.dir == nil || target != nil && (target.dir || n.dir):
		return exists("rename", to)
	}
	if old != at {
		m.change(dirOp{from: old, to: at, node: n})
	}
	return nil
}

// ReadDir lists a directory.
func (m *Mem) ReadDir(name string) ([]Info, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d := m.walk(elements(name))
	if d == nil || !d.dir {
		return nil, notExist("readdir", name)
	}
	var infos []Info
	for _, e := range sortedNames(d.entries) {
		infos = append(infos, d.entries[e].info(e))
	}
	return infos, nil
}

// Names lists the names in a directory.
func (m *Mem) Names(name string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d := m.walk(elements(name))
	if d == nil || !d.dir {
		return nil, notExist("readdir", name)
	}
	return sortedNames(d.entries), nil
}

func sortedNames(entries map[string]*memNode) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := m.walk(elements(name))
	if n == nil {
		return Info{}, notExist("stat", name)
	}
	return n.info(filepath.Base(name)), nil
}

func (n *memNode) info(name string) Info {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return Info{Name: name, Size: int64(len(n.content)), ModTime: n.modTime, Dir: n.dir}
}

// SyncDir makes the entries of a directory durable, but not the files and
// directories that they lead to.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.walk(elements(name))
	if d == nil || !d.dir {
		return notExist("syncdir", name)
	}
	m.settle(func(op dirOp) bool { return op.from.dir == d || op.to.dir == d })
	return nil
}

// settle makes the wanted pending changes durable, and those that they build upon.
// The caller holds mu for writing.
func (m *Mem) settle(wanted func(dirOp) bool) {
	needed := map[place]bool{}
	chosen := make([]bool, len(m.pending))
	for i, op := range slices.Backward(m.pending) {
		if chosen[i] = wanted(op) || needed[op.from] || needed[op.to]; !chosen[i] {
			continue
		}
		for _, at := range []place{op.from, op.to} {
			if at.dir != nil {
				needed[at] = true
			}
		}
	}
	var rest []dirOp
	for i, op := range m.pending {
		if chosen[i] {
			op.apply()
		} else {
			rest = append(rest, op)
		}
	}
	m.pending = rest
}

// apply applies a change to the durable entries.
func (op dirOp) apply() {
	if op.from.dir != nil {
		delete(op.from.dir.durable, op.from.name)
	}
	if op.to.dir != nil {
		op.to.dir.durable[op.to.name] = op.node
	}
}

// OpenVolume opens the only volume.
func (m *Mem) OpenVolume(dir string) (Volume, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.walk(elements(dir)) == nil {
		return nil, notExist("open", dir)
	}
	return memVolume{m, dir}, nil
}

type memVolume struct {
	m   *Mem
	dir string
}

func (v memVolume) Sync() error { return v.m.SyncFS(v.dir) }

func (memVolume) Close() error { return nil }

// forgetUnsynced implements forgetter. Each file that loses something reports err
// at its own next sync; another sync of the volume does not.
func (v memVolume) forgetUnsynced(err error) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.m.root.forgetAll(err)
}

func (n *memNode) forgetAll(err error) {
	n.mu.Lock()
	if len(n.writes) > 0 {
		n.writes, n.nextSyncError = nil, err
	}
	n.mu.Unlock()
	for _, child := range n.entries {
		child.forgetAll(err)
	}
}

// OwesError reports whether the next sync of a file will fail, because an earlier sync of
// the volume lost bytes of that file.
func (m *Mem) OwesError() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.root.owesError()
}

func (n *memNode) owesError() bool {
	n.mu.RLock()
	owes := n.nextSyncError != nil
	n.mu.RUnlock()
	for _, child := range n.entries {
		owes = owes || child.owesError()
	}
	return owes
}

// SyncFS makes everything durable.
func (m *Mem) SyncFS(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.walk(elements(dir)) == nil {
		return notExist("syncfs", dir)
	}
	m.settle(func(dirOp) bool { return true })
	m.root.syncAll()
	return nil
}

func (n *memNode) syncAll() {
	n.writeBack()
	for _, child := range n.entries {
		child.syncAll()
	}
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

// Space reports a terabyte, half of it free.
func (m *Mem) Space(string) (total, free int64, err error) { return 1 << 40, 1 << 39, nil }
