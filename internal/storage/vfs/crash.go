package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is how many bytes a disk writes in one piece.
const sector = 512

// Crash returns the file system after a power cut that took everything it could:
// files are as they were synced, under the names that synced directories gave them.
// The old file system stays usable.
func (m *Mem) Crash() *Mem {
	return m.crash(func(n *memNode) []byte { return slices.Clone(n.synced) }, nil)
}

// CrashRandomly returns the file system after a power cut that may leave more than
// was synced, within these rules:
//
//   - The unsynced bytes of each file survive, vanish or tear. In a torn file, each
//     sector has the writes to it up to some point; sectors that were never written
//     have zeros. The size is one that the file had on the way, or one in between.
//   - Unsynced names survive or vanish. Changes of one name stay in order: the
//     second survives only if the first does. A rename happened or did not.
//
// Equal random numbers give equal file systems.
func (m *Mem) CrashRandomly(rng *rand.Rand) *Mem {
	luck := []float64{0, 0.5, 0.9, 1}[rng.IntN(4)] // the chance of each change of names to survive
	lost := map[place]bool{}
	return m.crash(func(n *memNode) []byte { return n.tear(rng) }, func(op dirOp) bool {
		if lost[op.from] || lost[op.to] || rng.Float64() >= luck {
			for _, at := range []place{op.from, op.to} {
				if at.dir != nil {
					lost[at] = true
				}
			}
			return false
		}
		return true
	})
}

// Fork returns an independent copy: what a killed process leaves behind. What was
// not synced is there, and is still not durable.
func (m *Mem) Fork() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	copies := map[*memNode]*memNode{nil: nil}
	f := &Mem{root: m.root.clone(copies), locks: map[string]bool{}, strict: m.strict}
	for _, op := range m.pending {
		op.from.dir, op.to.dir, op.node = op.from.dir.clone(copies), op.to.dir.clone(copies), op.node.clone(copies)
		f.pending = append(f.pending, op)
	}
	return f
}

// clone copies a node and everything that it leads to, each node once.
func (n *memNode) clone(copies map[*memNode]*memNode) *memNode {
	if c, ok := copies[n]; ok {
		return c
	}
	n.mu.RLock()
	c := &memNode{dir: n.dir, content: slices.Clone(n.content), synced: slices.Clone(n.synced), writes: slices.Clone(n.writes), nextSyncError: n.nextSyncError, modTime: n.modTime}
	n.mu.RUnlock()
	copies[n] = c
	cloneAll := func(entries map[string]*memNode) map[string]*memNode {
		if entries == nil {
			return nil
		}
		out := map[string]*memNode{}
		for name, child := range entries {
			out[name] = child.clone(copies)
		}
		return out
	}
	c.entries, c.durable = cloneAll(n.entries), cloneAll(n.durable)
	return c
}

// crash builds a file system from the durable names, the pending changes that
// survive, and the bytes that are left of each file.
func (m *Mem) crash(left func(*memNode) []byte, survives func(dirOp) bool) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := map[*memNode]map[string]*memNode{}
	of := func(d *memNode) map[string]*memNode {
		if entries[d] == nil {
			entries[d] = maps.Clone(d.durable)
		}
		return entries[d]
	}
	for _, op := range m.pending {
		if survives == nil || !survives(op) {
			continue
		}
		if op.from.dir != nil {
			delete(of(op.from.dir), op.from.name)
		}
		if op.to.dir != nil {
			of(op.to.dir)[op.to.name] = op.node
		}
	}
	after := NewStrictMem()
	after.root = survivor(m.root, of, left)
	return after
}

// survivor makes a durable copy of a node and of everything that it leads to. It
// goes in the order of names, so that equal random numbers meet equal files.
func survivor(n *memNode, of func(*memNode) map[string]*memNode, left func(*memNode) []byte) *memNode {
	n.mu.RLock()
	s := &memNode{dir: n.dir, modTime: n.modTime}
	if !n.dir {
		s.content = left(n)
		s.synced = slices.Clone(s.content)
	}
	n.mu.RUnlock()
	if n.dir {
		s.entries = map[string]*memNode{}
		for _, name := range sortedNames(of(n)) {
			s.entries[name] = survivor(of(n)[name], of, left)
		}
		s.durable = maps.Clone(s.entries)
	}
	return s
}

// tear returns what a power cut leaves of a file.
func (n *memNode) tear(rng *rand.Rand) []byte {
	t := tearing{rng: rng, content: slices.Clone(n.synced), stopped: map[int64]bool{}}
	t.size = int64(len(t.content))
	switch rng.IntN(4) {
	case 0: // all is lost
	case 1: // all survives
		for _, op := range n.writes {
			t.content = op.apply(t.content)
		}
		t.size = int64(len(t.content))
	default:
		t.luck = []float64{0.3, 0.7, 0.95}[rng.IntN(3)]
		for _, op := range n.writes {
			if !t.apply(op) {
				break
			}
		}
	}
	return slices.Clone(extend(shrink(t.content, int(t.size)), int(t.size)))
}

// tearing is a file that is being torn. The content may be longer or shorter than
// the size that the file will have.
type tearing struct {
	rng         *rand.Rand
	luck        float64
	content     []byte
	size        int64
	sizeStopped bool
	stopped     map[int64]bool // sectors that later writes did not reach
}

func (t *tearing) lucky() bool { return t.rng.Float64() < t.luck }

// apply applies as much of an operation as reached the disk. It returns false if
// nothing after it may reach the disk: no write does while an older cut of the file
// has not.
func (t *tearing) apply(op fileOp) bool {
	if op.data == nil {
		if op.at < t.size {
			if !t.lucky() {
				return false
			}
			t.content = shrink(t.content, int(op.at))
			t.size = op.at
		}
		t.grow(op.at)
		return true
	}
	end := op.at + int64(len(op.data))
	for at := op.at; at < end; {
		s := at / sector
		to := min(end, (s+1)*sector)
		switch {
		case t.stopped[s]:
		case t.lucky():
			t.content = fileOp{at: at, data: op.data[at-op.at : to-op.at]}.apply(t.content)
		default:
			t.stopped[s] = true
		}
		at = to
	}
	t.grow(end)
	return true
}

// grow moves the size to a new one, or stops on the way.
func (t *tearing) grow(size int64) {
	if size <= t.size || t.sizeStopped {
		return
	}
	if t.lucky() {
		t.size = size
		return
	}
	t.sizeStopped = true
	if t.rng.IntN(2) == 0 {
		t.size += t.rng.Int64N(size - t.size)
	}
}
