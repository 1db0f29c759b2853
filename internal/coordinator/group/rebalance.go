package group

import (
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/coordinator"
)

// rebalance starts a rebalance. If one is in its join phase already, it ends that phase if
// every member has joined.
func (s *shard) rebalance(g *group, reason string) {
	if g.state == PreparingRebalance {
		s.completeIfJoined(g)
		return
	}
	s.prepare(g, reason)
}

// prepare begins the join phase: all members have to join again.
func (s *shard) prepare(g *group, reason string) {
	for _, m := range g.ordered() {
		m.assignment = clearIf(g.state == CompletingRebalance, m.assignment)
		s.weigh(g, m)
		if m.sync != nil {
			m.answerSync(kerr.RebalanceInProgress.Code)
			s.startSession(g, m, m.sessionTimeout)
		}
	}
	s.Cancel(&g.syncTimer)
	s.c.metrics.rebalances.Inc()
	s.c.log.Info("rebalance", slog.String("group", g.id), slog.Int("generation", int(g.generation)), slog.String("reason", reason))
	g.fromEmpty, g.joinedSinceDelay = g.state == Empty, false
	g.enter(PreparingRebalance, s.Now())
	switch {
	case g.fromEmpty:
		delay := s.c.cfg.InitialRebalanceDelay
		s.awaitNewcomers(g, delay, max(g.maxRebalanceTimeout()-delay, 0))
	case g.allJoined():
		s.completeJoin(g)
	default:
		s.Schedule(&g.joinTimer, g.maxRebalanceTimeout(), func() { s.completeJoin(g) })
	}
}

func clearIf(yes bool, p []byte) []byte {
	if yes {
		return nil
	}
	return p
}

// enter changes the state.
func (g *group) enter(next State, now time.Time) {
	g.state, g.stateSince = next, now.UnixMilli()
}

// awaitNewcomers gives the first members of a group time to arrive together. It waits
// for delay, and then for further delays as long as members keep coming, up to the
// rebalance timeout: the further delays may add up to remaining.
func (s *shard) awaitNewcomers(g *group, delay, remaining time.Duration) {
	if delay <= 0 {
		s.completeJoin(g)
		return
	}
	s.Schedule(&g.joinTimer, delay, func() {
		if !g.joinedSinceDelay || remaining == 0 {
			s.completeJoin(g)
			return
		}
		g.joinedSinceDelay = false
		s.awaitNewcomers(g, min(s.c.cfg.InitialRebalanceDelay, remaining), max(remaining-delay, 0))
	})
}

// completeIfJoined ends the join phase if every member has joined. It does not cut short
// the initial delay of a group that was empty.
func (s *shard) completeIfJoined(g *group) {
	if g.state == PreparingRebalance && !g.fromEmpty && g.allJoined() {
		s.completeJoin(g)
	}
}

// completeJoin ends the join phase. It removes dynamic members that have not joined
// again; static ones stay until their session ends.
func (s *shard) completeJoin(g *group) {
	s.Cancel(&g.joinTimer)
	for _, m := range g.ordered() {
		if m.join == nil && m.instance == nil {
			s.c.metrics.expired.WithLabelValues("rebalance").Inc()
			s.discard(g, m)
		}
	}
	switch {
	case g.size() == 0:
		s.becomeEmpty(g)
	case !g.electLeader():
		// There are only static members, and none has joined. Wait again: their sessions
		// will end.
		s.Schedule(&g.joinTimer, max(g.maxRebalanceTimeout(), shortestWait), func() { s.completeJoin(g) })
	default:
		s.beginGeneration(g)
	}
}

// shortestWait keeps a group of absent static members with a rebalance timeout of 0
// from spinning.
const shortestWait = 100 * time.Millisecond

// becomeEmpty records a generation without members. If the record is refused the group
// is empty nevertheless, as in Kafka; after a restart its last members are back until
// their sessions end.
func (s *shard) becomeEmpty(g *group) {
	s.c.log.Info("group is empty", slog.String("group", g.id), slog.Int("generation", int(g.generation+1)))
	err := s.append(nil, groupRecord(g.id, g.protocolType, g.generation+1, "", "", s.Now().UnixMilli(), nil))
	if err == nil {
		return
	}
	s.c.log.Warn("empty group could not be recorded", slog.String("group", g.id), slog.Any("err", err))
	g.generation++
	g.protocol, g.leader = "", ""
	g.noteTopics()
	g.enter(Empty, s.Now())
	s.shrink(g)
}

// beginGeneration answers the joins and waits for the leader's assignment.
func (s *shard) beginGeneration(g *group) {
	g.generation++
	g.protocol = g.selectProtocol()
	g.noteTopics()
	g.enter(CompletingRebalance, s.Now())
	s.c.log.Info("generation begins", slog.String("group", g.id), slog.Int("generation", int(g.generation)),
		slog.Int("members", g.size()), slog.String("protocol", g.protocol))
	for _, m := range g.ordered() {
		m.isNew, m.syncDue = false, true
		g.answerJoin(m, g.joined(m))
		s.startSession(g, m, m.sessionTimeout)
	}
	s.Schedule(&g.syncTimer, g.maxRebalanceTimeout(), func() { s.expireSync(g) })
}

// expireSync removes the members that joined a generation and never synced.
func (s *shard) expireSync(g *group) {
	removed := 0
	for _, m := range g.ordered() {
		if m.syncDue {
			s.c.log.Info("member did not sync in time", slog.String("group", g.id), slog.String("member", m.id))
			s.c.metrics.expired.WithLabelValues("sync").Inc()
			s.dismiss(g, m)
			removed++
		}
	}
	if removed > 0 {
		s.rebalance(g, "members did not sync in time")
	}
}

// startSession removes a member after timeout milliseconds, unless its session is
// started again before, or the member waits for an answer by then. A new member is
// removed even if it waits.
func (s *shard) startSession(g *group, m *member, timeout int32) {
	s.Schedule(&m.session, millis(timeout), func() {
		if !m.isNew && (m.join != nil || m.sync != nil) {
			return // the member waits for us; our answer starts the session again
		}
		s.c.log.Info("session of member expired", slog.String("group", g.id), slog.String("member", m.id))
		s.c.metrics.expired.WithLabelValues("session").Inc()
		s.dismiss(g, m)
		s.afterLoss(g, "the session of a member expired")
	})
}

// refreshSession starts the session of a member again, because a request from it came.
func (s *shard) refreshSession(g *group, m *member) {
	if m.session.Armed() {
		s.Restart(&m.session, millis(m.sessionTimeout))
		return
	}
	s.startSession(g, m, m.sessionTimeout)
}

// dismiss removes a member and answers its parked requests with UNKNOWN_MEMBER_ID.
func (s *shard) dismiss(g *group, m *member) {
	g.answerJoin(m, refusedJoin("", kerr.UnknownMemberID.Code))
	m.answerSync(kerr.UnknownMemberID.Code)
	s.discard(g, m)
}

// afterLoss starts or completes a rebalance after members were removed.
func (s *shard) afterLoss(g *group, reason string) {
	switch g.state {
	case Stable, CompletingRebalance:
		s.prepare(g, reason)
	case PreparingRebalance:
		s.completeIfJoined(g)
	case Empty, Dead:
	}
	s.shrink(g)
}

// snapshot returns the record of the current generation, with the given assignments by
// member ID, or, if assignments is nil, with those that the members have.
func (g *group) snapshot(assignments map[string][]byte) coordinator.KeyValue {
	list := make([]kmsg.GroupMetadataValueMember, 0, g.size())
	for _, m := range g.ordered() {
		v := kmsg.NewGroupMetadataValueMember()
		v.MemberID, v.InstanceID, v.ClientID, v.ClientHost = m.id, m.instance, m.clientID, m.clientHost
		v.RebalanceTimeoutMillis, v.SessionTimeoutMillis = m.rebalanceTimeout, m.sessionTimeout
		v.Subscription, v.Assignment = m.metadata(g.protocol), m.assignment
		if assignments != nil {
			v.Assignment = assignments[m.id]
		}
		list = append(list, v)
	}
	return groupRecord(g.id, g.protocolType, g.generation, g.protocol, g.leader, g.stateSince, list)
}

// append writes records as one batch, see [coordinator.Shard.Append]. If one of them is
// unwritable, it writes none and returns errUnwritable.
func (s *shard) append(done func(error), records ...coordinator.KeyValue) error {
	for i := range records {
		if records[i].Key == nil {
			return errUnwritable
		}
	}
	return s.Append(records, done)
}
