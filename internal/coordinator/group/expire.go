package group

import (
	"log/slog"

	"github.com/botehq/bote/internal/coordinator"
)

// batchRecords bounds the batches of operations on many groups, so that they stay well
// below the largest message size. These operations need not be atomic.
const batchRecords = 1000

// expireOffsets removes offsets that are older than their retention, and empty groups
// without offsets. It runs once per check interval.
func (s *shard) expireOffsets() {
	now := s.Now().UnixMilli()
	var records []coordinator.KeyValue
	for _, g := range s.groups {
		old := g.expired(now, s.c.cfg.OffsetsRetention.Milliseconds())
		records = append(records, g.tombstones(old)...)
		s.c.metrics.expired.WithLabelValues("offset").Add(float64(len(old)))
		if g.state == Empty && g.membership == nil && len(old) == len(g.offsets) && len(g.txnOffsets) == 0 {
			records = append(records, groupTombstone(g.id))
			s.c.log.Info("group expired", slog.String("group", g.id))
		}
	}
	s.appendAll(records, nil)
	s.Schedule(&s.expiry, s.c.cfg.OffsetsRetentionCheckInterval, s.expireOffsets)
}

// expired returns the partitions whose offsets have expired. now and retention are in
// milliseconds. An offset stays while a transaction has a pending one for its partition.
func (g *group) expired(now, retention int64) []partition {
	var old []partition
	for p, o := range g.offsets {
		base, may := g.ageFrom(p, o)
		if may && !g.hasPending(p) && o.isOld(base, now, retention) {
			old = append(old, p)
		}
	}
	return old
}

// ageFrom returns the time from which the age of an offset counts, and whether the offset
// may expire at all.
func (g *group) ageFrom(p partition, o offset) (base int64, may bool) {
	switch {
	case g.subscribes(p.topic.Value()):
		return 0, false
	case g.protocolType == "":
		return o.committedAt, true
	case g.state == Empty && g.stateSince >= 0:
		return g.stateSince, true
	case g.state == Empty:
		return o.committedAt, true
	default:
		return o.committedAt, g.state == Stable && g.protocolType == consumerType && g.topicsKnown
	}
}

func (o offset) isOld(base, now, retention int64) bool {
	if o.expiresAt >= 0 {
		return now >= o.expiresAt
	}
	return now-base >= retention
}

// OnTopicDeleted removes the offsets of a deleted topic from all groups, and calls
// done when that is durable. It keeps offsets that are known to belong to another
// topic of the same name. It waits for groups that are being loaded.
func (c *Coordinator) OnTopicDeleted(name string, id [16]byte, done func(error)) {
	c.shards.AllEventually(func(s *shard, done func(error)) {
		var records []coordinator.KeyValue
		for _, g := range s.groups {
			var doomed []partition
			for _, p := range g.everyPartition() {
				o := g.offsets[p]
				if p.topic.Value() == name && (o.topicID == [16]byte{} || o.topicID == id) {
					doomed = append(doomed, p)
				}
			}
			records = append(records, g.tombstones(doomed)...)
		}
		s.appendAll(records, done)
	}, done)
}

// appendAll appends records in batches and calls done, if not nil, when the last
// is durable.
func (s *shard) appendAll(records []coordinator.KeyValue, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	for len(records) > 0 {
		n := min(len(records), batchRecords)
		if err := s.append(nil, records[:n]...); err != nil {
			done(err)
			return
		}
		records = records[n:]
	}
	s.Settled(done)
}
