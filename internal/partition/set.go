package partition

import (
	"sync"

	"github.com/botehq/bote/internal/topic"
)

// Set is the live partitions of a broker, by topic ID and index. A partition is in
// it from when it can be used until it ends. Nobody above keeps a partition for
// longer than a request: another life of it may be in its place by then.
type Set struct {
	mu   sync.RWMutex
	byID map[topic.ID]*indexed
}

// indexed is the live partitions of one topic.
type indexed struct {
	parts []*Partition // by index; nil for one that is not here
	count int          // of those that are not nil
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{byID: map[topic.ID]*indexed{}} }

// Get returns a live partition, or nil.
func (s *Set) Get(id topic.ID, index int32) *Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.byID[id]
	if t == nil || index < 0 || int(index) >= len(t.parts) {
		return nil
	}
	return t.parts[index]
}

// Put enters a partition, in place of an earlier life of it, which it returns.
func (s *Set) Put(id topic.ID, index int32, p *Partition) (earlier *Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byID[id]
	if t == nil {
		t = &indexed{}
		s.byID[id] = t
	}
	for int(index) >= len(t.parts) {
		t.parts = append(t.parts, nil)
	}
	earlier = t.parts[index]
	if earlier == nil {
		t.count++
	}
	t.parts[index] = p
	return earlier
}

// Remove takes a partition out of the set and returns it, nil if it is not there.
func (s *Set) Remove(id topic.ID, index int32) *Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byID[id]
	if t == nil || index < 0 || int(index) >= len(t.parts) || t.parts[index] == nil {
		return nil
	}
	p := t.parts[index]
	t.parts[index] = nil
	if t.count--; t.count == 0 {
		delete(s.byID, id)
	}
	return p
}

// All returns all partitions.
func (s *Set) All() []*Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*Partition
	for _, t := range s.byID {
		for _, p := range t.parts {
			if p != nil {
				all = append(all, p)
			}
		}
	}
	return all
}
