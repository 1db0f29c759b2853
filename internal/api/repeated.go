package api

import (
	"slices"

	"github.com/botehq/bote/internal/topic"
)

// partKey names a partition: by the topic's name, or by its ID in versions that
// have it.
type partKey struct {
	name  string
	id    topic.ID
	index int32
}

// answered is the partitions of a request that have their answer: one that is named
// again gets no second.
type answered map[partKey]bool

// before reports whether a partition has been answered, and says that it is now.
func (a answered) before(name string, index int32) bool {
	key := partKey{name: name, index: index}
	if a[key] {
		return true
	}
	a[key] = true
	return false
}

// distinct returns each name once, in the order of their first places.
func distinct[T comparable](names []T) []T {
	seen := make(map[T]bool, len(names))
	return slices.DeleteFunc(names, func(name T) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}
