package partition

import "slices"

// fewWatchers is the largest number that a linear search finds faster than a map.
const fewWatchers = 16

// watchers is the set of watchers of a partition, in no order. Partition.mu guards it,
// but callers iterate without the mutex over the slice that walk returned, so that slice
// is never changed. The first remove after a walk therefore copies the list. All other
// calls of add and remove need constant time.
//
//	indexOf == nil || len(indexOf) == len(list) && list[indexOf[w]] == w
type watchers struct {
	list    []Watcher
	indexOf map[Watcher]int // index in list; nil while there are few
	shared  bool            // a caller of walk may still hold this list
	peak    int             // largest length since the last shrink
}

// add enters a watcher that is not in the set. It writes after the end of any slice that
// walk returned, so it need not copy.
func (s *watchers) add(w Watcher) {
	s.list = append(s.list, w)
	n := len(s.list)
	s.peak = max(s.peak, n)
	switch {
	case s.indexOf != nil:
		s.indexOf[w] = n - 1
	case n > fewWatchers:
		s.index()
	}
}

// remove takes w out, if it is in the set. The last watcher moves to its index.
func (s *watchers) remove(w Watcher) {
	at := s.find(w)
	last := len(s.list) - 1
	if at < 0 {
		return
	}
	if last == 0 {
		*s = watchers{}
		return
	}
	delete(s.indexOf, w)
	if s.shared {
		s.list, s.shared = slices.Clone(s.list), false
	}
	if at != last {
		s.list[at] = s.list[last]
		if s.indexOf != nil {
			s.indexOf[s.list[at]] = at
		}
	}
	s.list[last] = nil
	s.list = s.list[:last]
	if s.peak > fewWatchers && s.peak >= 4*last {
		s.shrink()
	}
}

// find returns the index of w in list, or -1.
func (s *watchers) find(w Watcher) int {
	if s.indexOf == nil {
		return slices.Index(s.list, w)
	}
	if at, ok := s.indexOf[w]; ok {
		return at
	}
	return -1
}

// shrink gives memory back. It runs when at most a quarter of most is left.
func (s *watchers) shrink() {
	s.list, s.indexOf, s.peak = slices.Clone(s.list), nil, len(s.list)
	if s.peak > fewWatchers {
		s.index()
	}
}

// index builds places.
func (s *watchers) index() {
	s.indexOf = make(map[Watcher]int, len(s.list))
	for i, w := range s.list {
		s.indexOf[w] = i
	}
}

// walk returns all watchers. The caller may iterate over them without the mutex.
func (s *watchers) walk() []Watcher {
	s.shared = len(s.list) > 0
	return s.list
}
