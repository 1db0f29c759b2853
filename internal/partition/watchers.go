package partition

import "slices"

// fewWatchers are found faster by looking at all of them than in a map.
const fewWatchers = 16

// watchers is who watches a partition, in no order. Partition.mu guards it, but the
// list is walked without it: what walk returned is not changed any more. So the
// first who leaves after a walk copies the list, and all others that join or leave
// take constant time.
//
//	places == nil || len(places) == len(list) && list[places[w]] == w
type watchers struct {
	list   []Watcher
	places map[Watcher]int // in the list; nil while there are few
	walked bool            // the list may be under way, as far as it was then
	most   int             // there were at a time, since list and places were made
}

// add enters one that is not there. Behind what is walked there is room to write.
func (s *watchers) add(w Watcher) {
	s.list = append(s.list, w)
	n := len(s.list)
	s.most = max(s.most, n)
	switch {
	case s.places != nil:
		s.places[w] = n - 1
	case n > fewWatchers:
		s.index()
	}
}

// remove takes one out, if it is there. The last takes its place.
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
	delete(s.places, w)
	if s.walked {
		s.list, s.walked = slices.Clone(s.list), false
	}
	if at != last {
		s.list[at] = s.list[last]
		if s.places != nil {
			s.places[s.list[at]] = at
		}
	}
	s.list[last] = nil
	s.list = s.list[:last]
	if s.most > fewWatchers && s.most >= 4*last {
		s.shrink()
	}
}

// find is the place of a watcher, or -1.
func (s *watchers) find(w Watcher) int {
	if s.places == nil {
		return slices.Index(s.list, w)
	}
	if at, ok := s.places[w]; ok {
		return at
	}
	return -1
}

// shrink gives back what a crowd took that has left, three of four.
func (s *watchers) shrink() {
	s.list, s.places, s.most = slices.Clone(s.list), nil, len(s.list)
	if s.most > fewWatchers {
		s.index()
	}
}

// index makes the map of places.
func (s *watchers) index() {
	s.places = make(map[Watcher]int, len(s.list))
	for i, w := range s.list {
		s.places[w] = i
	}
}

// walk returns all of them, to be told without the lock.
func (s *watchers) walk() []Watcher {
	s.walked = len(s.list) > 0
	return s.list
}
