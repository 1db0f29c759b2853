package partition

import (
	"slices"
	"sync"

	"github.com/botehq/bote/internal/topic"
)

// Set is the live partitions of a broker, by topic ID and index.
type Set struct {
	mu   sync.RWMutex
	byID map[topic.ID][]*Partition
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{byID: map[topic.ID][]*Partition{}} }

// Get returns a live partition, or nil.
func (s *Set) Get(id topic.ID, index int32) *Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	parts := s.byID[id]
	if index < 0 || int(index) >= len(parts) {
		return nil
	}
	return parts[index]
}

// Add appends partitions to a topic's, in the order of their indexes.
func (s *Set) Add(id topic.ID, parts ...*Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byID[id]
	s.byID[id] = append(slices.Clip(old), parts...)
}

// Remove takes a topic's partitions out of the set and returns them.
func (s *Set) Remove(id topic.ID) []*Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := s.byID[id]
	delete(s.byID, id)
	return parts
}

// All returns all partitions.
func (s *Set) All() []*Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*Partition
	for _, parts := range s.byID {
		all = append(all, parts...)
	}
	return all
}
