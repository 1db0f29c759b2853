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

// Topic is a topic in a snapshot. It must not be changed.
type Topic struct {
	Name       string
	ID         topic.ID
	Partitions int32
	// Overrides are the configs set for the topic.
	Overrides map[string]string
	// Config is the config in force: Overrides, then the broker's configs and defaults.
	Config config.Topic
	// BornInRun is the run in which the topic was created.
	BornInRun int32

	revision int64 // of its entry in the store
}

// Snapshot is the state of the catalog at one moment. It must not be changed once it is
// published: edit makes the next one, which shares all unchanged parts with it.
type Snapshot struct {
	topics         *btree.Map[string, *Topic] // by name
	byID           *btree.Map[string, *Topic] // by the bytes of the ID
	byCollisionKey *btree.Map[string, *Topic] // topics for which canCollide is true, by collisionKey
	dynamic        map[string]string          // dynamic configs of this broker
	cluster        map[string]string          // dynamic configs of every broker
	groups         map[string]map[string]string
	revisions      map[string]int64 // revisions of the config entries in the store, by key
	static         map[string]string
	run            int32
}

func newSnapshot(static map[string]string) *Snapshot {
	return &Snapshot{
		topics: &btree.Map[string, *Topic]{}, byID: &btree.Map[string, *Topic]{}, byCollisionKey: &btree.Map[string, *Topic]{},
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

// Len returns the number of topics.
func (s *Snapshot) Len() int { return s.topics.Len() }

// LeaderEpoch returns the leader epoch for partitions of a topic that are opened now. A
// partition that was opened in an earlier run keeps the epoch of that run.
func (s *Snapshot) LeaderEpoch(t *Topic) int32 { return s.run - t.BornInRun }

// FirstRun reports whether the store was new in this run, or every run since then ended
// cleanly.
func (s *Snapshot) FirstRun() bool { return s.run == 0 }

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

// collides returns a topic with the same metric names as a topic of this name would have,
// or "".
func (s *Snapshot) collides(name string) string {
	if !canCollide(name) {
		return ""
	}
	prefix, other := collisionKey(name, ""), ""
	s.byCollisionKey.Ascend(prefix, func(key string, t *Topic) bool {
		if strings.HasPrefix(key, prefix) {
			other = t.Name
		}
		return false
	})
	return other
}

// canCollide reports whether another name can have the same metric names: one with a
// point where this one has an underscore, or the other way round.
func canCollide(name string) bool { return strings.ContainsAny(name, "._") }

// collisionKey returns the key of a topic in colliding. Names that collide sort next to
// each other. No name contains a slash.
func collisionKey(name, of string) string { return topic.Collision(name) + "/" + of }

// edit returns a copy of the snapshot to which change was applied. change may call put and
// remove, and may replace maps, but not write to them. It costs a few copied nodes for each
// changed topic. The same snapshot must not be edited concurrently.
func (s *Snapshot) edit(change func(next *Snapshot)) *Snapshot {
	next := *s
	next.topics, next.byID, next.byCollisionKey = s.topics.Copy(), s.byID.Copy(), s.byCollisionKey.Copy()
	change(&next)
	return &next
}

// setConfig replaces the configs of a key. Revision is the revision of its entry, or 0 if
// the entry was deleted.
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

// put enters a topic, and replaces a topic of the same name.
func (s *Snapshot) put(t *Topic) {
	if old, ok := s.topics.Set(t.Name, t); ok && old.ID != t.ID {
		s.byID.Delete(string(old.ID[:]))
	}
	s.byID.Set(string(t.ID[:]), t)
	if canCollide(t.Name) {
		s.byCollisionKey.Set(collisionKey(t.Name, t.Name), t)
	}
}

// remove drops a topic.
func (s *Snapshot) remove(t *Topic) {
	s.topics.Delete(t.Name)
	s.byID.Delete(string(t.ID[:]))
	s.byCollisionKey.Delete(collisionKey(t.Name, t.Name))
}

// resetConfigs applies changed broker configs to the Config of all topics, and returns
// these. It does nothing if the configs in force of a topic without overrides are the same
// as in before. This test is enough, because the value of each config depends on that
// config's layers only.
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
