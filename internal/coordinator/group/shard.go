package group

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// shard holds the groups of one partition of __consumer_offsets. Only the goroutine of
// its coordinator.Shard uses it.
type shard struct {
	*coordinator.Shard
	c      *Coordinator
	groups map[string]*group
	// open has, by producer ID, the groups in which its transaction has pending offsets.
	open   map[int64]map[*group]struct{}
	expiry coordinator.Timer
}

func newShard(c *Coordinator, s *coordinator.Shard) *shard {
	return &shard{Shard: s, c: c, groups: make(map[string]*group), open: make(map[int64]map[*group]struct{})}
}

// Apply changes the durable state, both in replay and after an append.
func (s *shard) Apply(r coordinator.Record) error {
	if len(r.Key) < 2 {
		return errors.New("record without a key version")
	}
	switch binary.BigEndian.Uint16(r.Key) {
	case 0, offsetKeyVersion:
		return s.applyOffset(r)
	case groupKeyVersion:
		return s.applyGroup(r)
	default:
		return nil // KIP-848, share and streams groups
	}
}

func (s *shard) applyOffset(r coordinator.Record) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(r.Key); err != nil {
		return err
	}
	p := topicPartition(k.Topic, k.Partition)
	if r.Value == nil {
		if g := s.groups[k.Group]; g != nil {
			s.forget(g, p)
		}
		return nil
	}
	o, err := readOffset(r.Value)
	if err != nil {
		return err
	}
	o.record = r.Offset
	g := s.ensure(k.Group)
	if r.Transactional() {
		s.addPending(g, r.ProducerID, p, o)
		return nil
	}
	g.commit(p, o)
	return nil
}

func (g *group) commit(p partition, o offset) {
	if g.offsets == nil {
		g.offsets = make(map[partition]offset, 1)
	}
	g.offsets[p] = o
}

// forget removes the offset of a partition, and its pending ones.
func (s *shard) forget(g *group, p partition) {
	delete(g.offsets, p)
	for producer, held := range g.txnOffsets {
		delete(held, p)
		if len(held) == 0 {
			s.release(g, producer)
		}
	}
}

// addPending keeps an offset as pending until its transaction ends.
func (s *shard) addPending(g *group, producer int64, p partition, o offset) {
	if g.txnOffsets == nil {
		g.txnOffsets = make(map[int64]map[partition]offset)
	}
	if g.txnOffsets[producer] == nil {
		g.txnOffsets[producer] = make(map[partition]offset)
	}
	g.txnOffsets[producer][p] = o
	if s.open[producer] == nil {
		s.open[producer] = make(map[*group]struct{})
	}
	s.open[producer][g] = struct{}{}
}

func (s *shard) release(g *group, producer int64) {
	delete(g.txnOffsets, producer)
	delete(s.open[producer], g)
	if len(s.open[producer]) == 0 {
		delete(s.open, producer)
	}
}

// hasPending reports whether a transaction has a pending offset for the partition.
func (g *group) hasPending(p partition) bool {
	for _, held := range g.txnOffsets {
		if _, ok := held[p]; ok {
			return true
		}
	}
	return false
}

// EndTransaction commits or drops a producer's pending offsets. A committed offset whose
// record came after the pending one's stays.
func (s *shard) EndTransaction(producer int64, commit bool) {
	for g := range s.open[producer] {
		for p, o := range g.txnOffsets[producer] {
			if old, ok := g.offsets[p]; commit && (!ok || old.record < o.record) {
				g.commit(p, o)
			}
		}
		s.release(g, producer)
	}
}

func (s *shard) applyGroup(r coordinator.Record) error {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(r.Key); err != nil {
		return err
	}
	if r.Value == nil {
		s.removeGroup(k.Group)
		return nil
	}
	v, err := readGroup(r.Value)
	if err != nil {
		return err
	}
	g := s.ensure(k.Group)
	g.protocolType, g.generation, g.stateSince = v.ProtocolType, v.Generation, v.CurrentStateTimestamp
	g.protocol, g.leader = value(v.Protocol), value(v.Leader)
	g.state = Empty
	if len(v.Members) > 0 {
		g.state = Stable
	}
	s.applyMembers(g, v.Members)
	return nil
}

// applyMembers makes the group's members those of the record. In a live group they
// already are, and only get their assignments. Such members keep all protocols that they
// offer, though the record has only the selected one.
func (s *shard) applyMembers(g *group, list []kmsg.GroupMetadataValueMember) {
	if len(list) == 0 && g.membership == nil {
		return
	}
	g.ensureMembership()
	named := make(map[string]struct{}, len(list))
	for i := range list {
		v := &list[i]
		named[v.MemberID] = struct{}{}
		m := g.members[v.MemberID]
		if m == nil {
			m = &member{id: v.MemberID, instance: v.InstanceID}
			g.insert(m)
			s.c.metrics.members.Inc()
		}
		m.order = i
		m.clientID, m.clientHost = v.ClientID, v.ClientHost
		m.rebalanceTimeout, m.sessionTimeout = v.RebalanceTimeoutMillis, v.SessionTimeoutMillis
		m.assignment = slices.Clone(v.Assignment)
		if !m.offers(g.protocol) || !slices.Equal(m.metadata(g.protocol), v.Subscription) {
			g.offer(m, []protocol{{g.protocol, slices.Clone(v.Subscription)}})
		}
		s.weigh(g, m)
	}
	g.nextOrder = len(list)
	for id, m := range g.members {
		if _, ok := named[id]; !ok {
			s.discard(g, m)
		}
	}
	g.noteTopics()
	s.shrink(g)
}

// discard removes a member and stops its timer. The caller has answered its parked
// requests.
func (s *shard) discard(g *group, m *member) {
	s.Cancel(&m.session)
	g.delete(m)
	s.unweigh(m)
	s.c.metrics.members.Dec()
}

// shrink frees the membership of an empty group without pending IDs.
func (s *shard) shrink(g *group) {
	if g.membership != nil && g.state == Empty && len(g.members) == 0 && len(g.pendingIDs) == 0 {
		g.membership = nil
	}
}

// ensure returns a group. If there is none, it creates a simple one.
func (s *shard) ensure(id string) *group {
	g := s.groups[id]
	if g == nil {
		id = strings.Clone(id)
		g = &group{id: id, stateSince: -1}
		s.groups[id] = g
		s.c.metrics.groups.Inc()
	}
	return g
}

// removeGroup forgets a group. If it still has offsets, they stay in a simple group; the
// order in which we write records does not lead to that.
func (s *shard) removeGroup(id string) {
	g := s.groups[id]
	if g == nil {
		return
	}
	if g.membership != nil {
		for _, m := range g.members {
			s.discard(g, m)
		}
		for _, p := range g.pendingIDs {
			s.stopPendingID(p)
		}
		s.Cancel(&g.joinTimer)
		s.Cancel(&g.syncTimer)
	}
	if len(g.offsets)+len(g.txnOffsets) > 0 {
		*g = group{id: g.id, stateSince: -1, offsets: g.offsets, txnOffsets: g.txnOffsets}
		return
	}
	delete(s.groups, id)
	s.c.metrics.groups.Dec()
}

// Loaded starts the sessions of all members, and the timer of expireOffsets.
func (s *shard) Loaded() {
	for _, g := range s.groups {
		for _, m := range g.ordered() {
			s.startSession(g, m, m.sessionTimeout)
		}
		if g.size() > s.c.cfg.MaxSize {
			s.prepare(g, "the loaded group is larger than group.max.size")
		}
	}
	s.Schedule(&s.expiry, s.c.cfg.OffsetsRetentionCheckInterval, s.expireOffsets)
}

// Unloaded answers all parked requests, and takes the shard's groups and members out of
// the metrics and the memory count.
func (s *shard) Unloaded(err error) {
	c := clientCode(err)
	for _, g := range s.groups {
		for _, m := range g.ordered() {
			g.answerJoin(m, refusedJoin(m.id, c))
			m.answerSync(c)
			s.unweigh(m)
		}
		if g.membership != nil {
			for _, p := range g.pendingIDs {
				s.stopPendingID(p)
			}
		}
		s.c.metrics.members.Sub(float64(g.size()))
	}
	s.c.metrics.groups.Sub(float64(len(s.groups)))
}
