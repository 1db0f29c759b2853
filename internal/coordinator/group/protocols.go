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

// support counts the members of a group that offer a protocol, for every name that
// one of them offers. A member counts once even if it names a protocol twice. With
// it a vote, and the check whether a new member fits, look at every name that was
// offered once; clients can offer very many.
type support struct {
	counts  map[string]count
	changes int // calls of add and remove
	most    int // names since counts was made, which a map keeps room for
}

// count is the members that offer a protocol. Who changed it last has counted it.
type count struct{ members, change int }

// of is the number of members that offer a protocol.
func (s *support) of(name string) int { return s.counts[name].members }

// add counts what a member offers.
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

// remove forgets what a member offered that was added.
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

// shrink gives back the room that names took which nobody offers any more.
func (s *support) shrink() {
	const few = 64
	if s.most <= few || len(s.counts) > s.most/2 {
		return
	}
	counts := make(map[string]count, len(s.counts))
	maps.Copy(counts, s.counts)
	s.counts, s.most = counts, len(counts)
}

// supports reports whether a member with these protocols fits: one of them has
// to be known to all members.
func (g *group) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == Empty || g.size() == 0 {
		return protocolType != "" && len(protocols) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return g.allSupport(p.Name) })
}

func (g *group) allSupport(name string) bool { return g.support.of(name) == len(g.members) }

// selectProtocol takes the vote: every member is for the first of its protocols
// that all support. Of equals the one that was voted for first wins.
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

// offer replaces what a member of the group offers.
func (g *group) offer(m *member, list []protocol) {
	g.support.remove(m.protocols)
	m.protocols, m.found = list, 0
	g.support.add(m.protocols)
}

// find returns the first of a member's protocols with a name, or nil. It is asked
// for that of the group again and again.
func (m *member) find(name string) *protocol {
	if m.found < len(m.protocols) && m.protocols[m.found].name == name {
		return &m.protocols[m.found]
	}
	i := slices.IndexFunc(m.protocols, func(p protocol) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	m.found = i
	return &m.protocols[i]
}

func (m *member) offers(name string) bool { return m.find(name) != nil }

func (m *member) metadata(name string) []byte {
	if p := m.find(name); p != nil {
		return p.metadata
	}
	return nil
}

// matches reports whether a join brings nothing new.
func (m *member) matches(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(p protocol, q kmsg.JoinGroupRequestProtocol) bool {
		return p.name == q.Name && slices.Equal(p.metadata, q.Metadata)
	})
}
