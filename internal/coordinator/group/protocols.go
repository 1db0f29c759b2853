package group

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocol is an assignor that a member offers, and the member's metadata for it.
type protocol struct {
	name     string
	metadata []byte
}

func cloneProtocols(list []kmsg.JoinGroupRequestProtocol) []protocol {
	out := make([]protocol, len(list))
	for i, p := range list {
		out[i] = protocol{strings.Clone(p.Name), slices.Clone(p.Metadata)}
	}
	return out
}

// support counts, for every protocol name that is offered, the members that offer it. A
// member counts once even if it names a protocol twice. Because of the counts, a vote and
// the check of a new member look at each offered name only once. Clients can offer very
// many.
type support struct {
	counts  map[string]count
	changes int // number of calls of add and remove
	most    int // largest len(counts) since the map was made: maps do not shrink
}

// count is how many members offer a protocol, and the value of support.changes when that
// changed last. By it, add and remove recognise a name that their list repeats.
type count struct{ members, change int }

// of returns the number of members that offer a protocol.
func (s *support) of(name string) int { return s.counts[name].members }

// add counts the protocols that a member offers.
func (s *support) add(list []protocol) {
	s.changes++
	if s.counts == nil {
		s.counts = make(map[string]count, len(list))
	}
	for i := range list {
		if c := s.counts[list[i].name]; c.change != s.changes {
			s.counts[list[i].name] = count{c.members + 1, s.changes}
		}
	}
	s.most = max(s.most, len(s.counts))
}

// remove takes back an add of the same list.
func (s *support) remove(list []protocol) {
	s.changes++
	for i := range list {
		switch c, ok := s.counts[list[i].name]; {
		case !ok, c.change == s.changes:
		case c.members == 1:
			delete(s.counts, list[i].name)
		default:
			s.counts[list[i].name] = count{c.members - 1, s.changes}
		}
	}
	s.shrink()
}

// shrink replaces the map by a smaller one when at most half of most is in use.
func (s *support) shrink() {
	const few = 64
	if s.most <= few || len(s.counts) > s.most/2 {
		return
	}
	counts := make(map[string]count, len(s.counts))
	maps.Copy(counts, s.counts)
	s.counts, s.most = counts, len(counts)
}

// supports reports whether a member with these protocols fits into the group: all
// members must offer one of them.
func (g *group) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == Empty || g.size() == 0 {
		return protocolType != "" && len(protocols) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return g.allSupport(p.Name) })
}

func (g *group) allSupport(name string) bool { return g.support.of(name) == len(g.members) }

// selectProtocol takes the vote. Every member votes for the first of its protocols that
// all members offer. On a tie, the protocol that got its first vote earliest wins.
func (g *group) selectProtocol() string {
	votes := make(map[string]int)
	best := ""
	var names []string
	for _, m := range g.ordered() {
		for _, p := range m.protocols {
			if !g.allSupport(p.name) {
				continue
			}
			if votes[p.name] == 0 {
				names = append(names, p.name)
			}
			votes[p.name]++
			break
		}
	}
	for _, name := range names {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// offer replaces the protocols that a member of the group offers.
func (g *group) offer(m *member, list []protocol) {
	g.support.remove(m.protocols)
	m.protocols, m.lastFound = list, 0
	g.support.add(m.protocols)
}

// find returns the first of a member's protocols with the name, or nil. It tries the
// last one found first, because callers mostly ask for the group's protocol.
func (m *member) find(name string) *protocol {
	if m.lastFound < len(m.protocols) && m.protocols[m.lastFound].name == name {
		return &m.protocols[m.lastFound]
	}
	i := slices.IndexFunc(m.protocols, func(p protocol) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	m.lastFound = i
	return &m.protocols[i]
}

func (m *member) offers(name string) bool { return m.find(name) != nil }

func (m *member) metadata(name string) []byte {
	if p := m.find(name); p != nil {
		return p.metadata
	}
	return nil
}

// matches reports whether a join offers the same protocols, with the same metadata.
func (m *member) matches(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(p protocol, q kmsg.JoinGroupRequestProtocol) bool {
		return p.name == q.Name && slices.Equal(p.metadata, q.Metadata)
	})
}
