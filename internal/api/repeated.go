package api

import (
	"slices"

	"github.com/botehq/bote/internal/topic"
)

// partKey names a partition by its topic's name or, in versions that have it, its
// topic's ID.
type partKey struct {
	name  string
	id    topic.ID
	index int32
}

// answered is the set of a request's partitions that are answered already: a
// partition that is named again gets no second answer.
type answered map[partKey]bool

// markAnswered reports whether a partition is in the set, and adds it.
func (a answered) markAnswered(name string, index int32) bool {
	key := partKey{name: name, index: index}
	if a[key] {
		return true
	}
	a[key] = true
	return false
}

// distinct returns each name once, in the order of first occurrence.
func distinct[T comparable](names []T) []T {
	seen := make(map[T]bool, len(names))
	return slices.DeleteFunc(names, func(name T) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}
