package partition

import (
	"sync"

	"github.com/botehq/bote/internal/topic"
)

// Set is the live partitions of a broker, by topic ID and index. It holds a partition
// from when it can be used until it ends. A caller keeps a partition for one request at
// most: by the next one, a reopened Partition may have replaced it.
type Set struct {
	mu   sync.RWMutex
	byID map[topic.ID]*indexed
}

// indexed is the live partitions of one topic.
type indexed struct {
	parts []*Partition // by index; nil where this broker has none
	count int          // how many are not nil
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

// Put enters a partition and returns the one that it replaces, or nil.
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
