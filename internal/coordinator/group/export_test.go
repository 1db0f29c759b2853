package group

import (
	"fmt"
	"sync/atomic"
)

// Check verifies the invariants of all groups in loaded shards and reports the
// first that does not hold.
func (c *Coordinator) Check(done func(error)) {
	var held atomic.Int64
	c.shards.AllEventually(func(s *shard, done func(error)) {
		held.Add(s.weight())
		for _, g := range s.groups {
			if err := g.check(); err != nil {
				done(fmt.Errorf("group %s in %s: %w", g.id, g.state, err))
				return
			}
		}
		done(nil)
	}, func(err error) {
		if sum, counted := held.Load(), c.memberBytesInUse.Load(); err == nil && sum != counted {
			err = fmt.Errorf("members hold %d bytes, counted %d", sum, counted)
		}
		done(err)
	})
}

// weight returns the bytes that the members and pending IDs of a shard occupy.
func (s *shard) weight() (n int64) {
	for _, g := range s.groups {
		if g.membership == nil {
			continue
		}
		for _, m := range g.members {
			n += g.bytes(m)
		}
		for id := range g.pendingIDs {
			n += int64(memberBytes + len(id))
		}
	}
	return n
}

// Held returns the bytes that are counted for all members and pending IDs.
func (c *Coordinator) Held() int64 { return c.memberBytesInUse.Load() }

func (g *group) check() error {
	if g.membership == nil {
		if g.state != Empty || g.leader != "" || g.protocol != "" {
			return fmt.Errorf("no members, but leader %q and protocol %q", g.leader, g.protocol)
		}
		return nil
	}
	joining, static := 0, 0
	offered := make(map[string]map[string]struct{}) // protocol name to member IDs
	for id, m := range g.members {
		for _, p := range m.protocols {
			if offered[p.name] == nil {
				offered[p.name] = make(map[string]struct{})
			}
			offered[p.name][id] = struct{}{}
		}
		switch {
		case m.id != id:
			return fmt.Errorf("member %s is filed as %s", m.id, id)
		case g.pendingIDs[id] != nil:
			return fmt.Errorf("member %s is pending too", id)
		case m.instance != nil && g.static[*m.instance] != id:
			return fmt.Errorf("instance %s is %s, not %s", *m.instance, g.static[*m.instance], id)
		case m.join == nil && m.sync == nil && !m.session.Armed():
			return fmt.Errorf("member %s neither waits nor can expire", id)
		case m.sync != nil && g.state != CompletingRebalance && g.state != Stable:
			return fmt.Errorf("member %s waits for an assignment", id)
		case g.state == CompletingRebalance && m.join != nil:
			return fmt.Errorf("member %s waits for a join phase that is over", id)
		}
		if m.join != nil {
			joining++
		}
		if m.instance != nil {
			static++
		}
	}
	for name := range g.support.counts {
		if g.support.of(name) != len(offered[name]) {
			return fmt.Errorf("%d members offer %s, counted %d", len(offered[name]), name, g.support.of(name))
		}
	}
	switch {
	case len(offered) != len(g.support.counts):
		return fmt.Errorf("%d protocols, counted %d", len(offered), len(g.support.counts))
	case joining != g.joining:
		return fmt.Errorf("%d members wait, counted %d", joining, g.joining)
	case static != len(g.static):
		return fmt.Errorf("%d static members, filed %d", static, len(g.static))
	case len(g.members) > 0 && g.members[g.leader] == nil:
		return fmt.Errorf("leader %q is no member", g.leader)
	case len(g.members) == 0 && g.state != Empty && g.state != PreparingRebalance:
		return fmt.Errorf("no members")
	case len(g.members) > 0 && g.state == Empty:
		return fmt.Errorf("%d members", len(g.members))
	case g.state == PreparingRebalance && !g.joinTimer.Armed():
		return fmt.Errorf("no join timer")
	case g.state == CompletingRebalance && !g.syncTimer.Armed() && !g.allSynced():
		return fmt.Errorf("no sync timer")
	}
	return nil
}
