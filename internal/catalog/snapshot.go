package catalog

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/topic"
)

// Topic is a topic as of a snapshot. It must not be changed.
type Topic struct {
	Name       string
	ID         topic.ID
	Partitions int32
	// Overrides are the configs set for the topic.
	Overrides map[string]string
	// Config is what is in force.
	Config config.Topic
	// Born is the run in which the topic was created.
	Born int32

	revision int64 // of its entry in the store
}

// Snapshot is everything at one moment. It must not be changed: what follows it is made
// by edit, and shares with it all that is the same.
type Snapshot struct {
	topics    *btree.Map[string, *Topic] // by name
	byID      *btree.Map[string, *Topic] // by the bytes of the ID
	colliding *btree.Map[string, *Topic] // those that can collide, by collisionKey
	dynamic   map[string]string          // this broker's
	cluster   map[string]string          // every broker's
	groups    map[string]map[string]string
	revisions map[string]int64 // of the entries of configs in the store, by key
	static    map[string]string
	run       int32
}

func newSnapshot(static map[string]string) *Snapshot {
	return &Snapshot{
		topics: &btree.Map[string, *Topic]{}, byID: &btree.Map[string, *Topic]{}, colliding: &btree.Map[string, *Topic]{},
		dynamic: map[string]string{}, cluster: map[string]string{}, groups: map[string]map[string]string{},
		revisions: map[string]int64{}, static: static,
	}
}

// Topic returns a topic by name, or nil.
func (s *Snapshot) Topic(name string) *Topic {
	t, _ := s.topics.Get(name)
	return t
}

// TopicByID returns a topic by ID, or nil.
func (s *Snapshot) TopicByID(id topic.ID) *Topic {
	t, _ := s.byID.Get(string(id[:]))
	return t
}

// Topics returns all topics, sorted by name.
func (s *Snapshot) Topics() iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		s.topics.Scan(func(_ string, t *Topic) bool { return yield(t) })
	}
}

// Len is the number of topics.
func (s *Snapshot) Len() int { return s.topics.Len() }

// LeaderEpoch is the leader epoch that a partition of a topic gets which is opened
// now. One that was opened in an earlier run keeps the epoch of that.
func (s *Snapshot) LeaderEpoch(t *Topic) int32 { return s.run - t.Born }

// Layers returns the configs of a topic, or of the broker if t is nil, in order
// of precedence.
func (s *Snapshot) Layers(t *Topic) config.Layers {
	l := config.Layers{DynamicBroker: s.dynamic, DynamicDefault: s.cluster, Static: s.static}
	if t != nil {
		l.Topic = t.Overrides
	}
	return l
}

// Group returns the configs set for a group.
func (s *Snapshot) Group(name string) map[string]string { return s.groups[name] }

// Groups returns the names of groups that have configs, sorted.
func (s *Snapshot) Groups() []string { return slices.Sorted(maps.Keys(s.groups)) }

// collides returns a topic whose metric names would be those of a topic of this name.
func (s *Snapshot) collides(name string) string {
	if !canCollide(name) {
		return ""
	}
	prefix, other := collisionKey(name, ""), ""
	s.colliding.Ascend(prefix, func(key string, t *Topic) bool {
		if strings.HasPrefix(key, prefix) {
			other = t.Name
		}
		return false
	})
	return other
}

// canCollide reports whether there is another name with the same metric names: it has
// a point where this one has an underscore, or the other way round.
func canCollide(name string) bool { return strings.ContainsAny(name, "._") }

// collisionKey sorts names that collide beside each other. No name has a slash.
func collisionKey(name, of string) string { return topic.Collision(name) + "/" + of }

// edit returns a snapshot that differs by what change does to it, with put and remove
// or by replacing maps. It costs some copied nodes for each topic that changes. Nobody
// else may edit the same snapshot meanwhile.
func (s *Snapshot) edit(change func(next *Snapshot)) *Snapshot {
	next := *s
	next.topics, next.byID, next.colliding = s.topics.Copy(), s.byID.Copy(), s.colliding.Copy()
	change(&next)
	return &next
}

// setConfig replaces the configs of a key. Revision is that of its entry, 0 if it has
// none any more.
func (s *Snapshot) setConfig(brokers, key string, set map[string]string, revision int64) {
	s.revisions = maps.Clone(s.revisions)
	if s.revisions[key] = revision; revision == 0 {
		delete(s.revisions, key)
	}
	switch {
	case key == clusterKey:
		s.cluster = set
	case key == brokers:
		s.dynamic = set
	case strings.HasPrefix(key, groupPrefix):
		s.groups = maps.Clone(s.groups)
		if s.groups[strings.TrimPrefix(key, groupPrefix)] = set; revision == 0 {
			delete(s.groups, strings.TrimPrefix(key, groupPrefix))
		}
	}
}

// config returns the configs of a key.
func (s *Snapshot) config(brokers, key string) map[string]string {
	switch key {
	case clusterKey:
		return s.cluster
	case brokers:
		return s.dynamic
	}
	return s.groups[strings.TrimPrefix(key, groupPrefix)]
}

// put enters a topic, in place of what had its name.
func (s *Snapshot) put(t *Topic) {
	if old, ok := s.topics.Set(t.Name, t); ok && old.ID != t.ID {
		s.byID.Delete(string(old.ID[:]))
	}
	s.byID.Set(string(t.ID[:]), t)
	if canCollide(t.Name) {
		s.colliding.Set(collisionKey(t.Name, t.Name), t)
	}
}

// remove drops a topic.
func (s *Snapshot) remove(t *Topic) {
	s.topics.Delete(t.Name)
	s.byID.Delete(string(t.ID[:]))
	s.colliding.Delete(collisionKey(t.Name, t.Name))
}

// resetConfigs has all topics follow the configs of brokers. It goes through all of them
// only if what a topic without configs of its own has in force is not as it was in
// before: each config is decided by itself.
func (s *Snapshot) resetConfigs(before *Snapshot) (changed []*Topic) {
	same := func(a, b config.Entry) bool {
		return a.Name == b.Name && (a.Value == b.Value || a.Value != nil && b.Value != nil && *a.Value == *b.Value)
	}
	if slices.EqualFunc(s.Layers(&Topic{}).TopicEntries(), before.Layers(&Topic{}).TopicEntries(), same) {
		return nil
	}
	for t := range before.Topics() {
		altered := *t
		altered.Config = s.Layers(t).TopicConfig()
		s.put(&altered)
		changed = append(changed, &altered)
	}
	return changed
}
