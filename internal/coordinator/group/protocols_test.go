package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// electorate wraps a group. Its methods give the answers of the group's counts by asking
// member by member.
type electorate struct{ *group }

func (e electorate) allOffer(name string) bool {
	for _, m := range e.members {
		if !slices.ContainsFunc(m.protocols, func(p protocol) bool { return p.name == name }) {
			return false
		}
	}
	return true
}

// vote does what selectProtocol does, member by member.
func (e electorate) vote() (best string) {
	votes, names := map[string]int{}, []string(nil)
	for _, m := range e.ordered() {
		i := slices.IndexFunc(m.protocols, func(p protocol) bool { return e.allOffer(p.name) })
		if i < 0 {
			continue
		}
		name := m.protocols[i].name
		if votes[name]++; votes[name] == 1 {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// TestProtocolCounts: the counts lead to the same decisions as a look at every member's
// protocols, while members come, go and change what they offer, also if a member offers a
// name twice.
func TestProtocolCounts(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		e := electorate{&group{id: "g", state: Stable, protocolType: consumerType}}
		e.ensureMembership()
		offer := func() []protocol {
			list := make([]protocol, r.IntN(8))
			for i := range list {
				list[i] = protocol{string(rune('a' + r.IntN(5))), []byte{byte(i)}}
			}
			return list
		}
		for step := range 60 {
			id := fmt.Sprint(r.IntN(5))
			switch m := e.member(id); {
			case m == nil:
				e.insert(&member{id: id, protocols: offer()})
			case r.IntN(2) == 0:
				e.delete(m)
			default:
				e.offer(m, offer())
			}
			if e.size() == 0 {
				require.Empty(t, e.support.counts)
				continue
			}
			require.Equal(t, e.vote(), e.selectProtocol(), "seed %d, step %d", seed, step)
			for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
				require.Equal(t, e.allOffer(name), e.supports(consumerType, []kmsg.JoinGroupRequestProtocol{{Name: "f"}, {Name: name}}), name)
			}
			for _, m := range e.members {
				for range 2 {
					name := string(rune('a' + r.IntN(6)))
					i := slices.IndexFunc(m.protocols, func(p protocol) bool { return p.name == name })
					require.Equal(t, i >= 0, m.offers(name))
					if i >= 0 {
						require.Equal(t, []byte{byte(i)}, m.metadata(name), "the first of the name")
					}
				}
			}
		}
	}
}

// TestProtocolCountsGiveRoomBack: support shrinks its map, which does not shrink by
// itself.
func TestProtocolCountsGiveRoomBack(t *testing.T) {
	var s support
	var many []protocol
	for i := range 10_000 {
		many = append(many, protocol{name: fmt.Sprint(i)})
	}
	s.add(many[:1])
	s.add(many)
	require.Equal(t, 2, s.of("0"))
	require.Equal(t, 10_000, s.most)
	s.remove(many)
	require.Equal(t, 1, s.most)
	require.Equal(t, 1, s.of("0"))
	require.Zero(t, s.of("1"))
}

// BenchmarkManyProtocols measures a generation of members that agree on the last of many
// protocols.
func BenchmarkManyProtocols(b *testing.B) {
	for _, protocols := range []int{2, 1000, 100_000} {
		b.Run(fmt.Sprint(protocols), func(b *testing.B) {
			g := &group{id: "g", state: Stable, protocolType: consumerType}
			var last []kmsg.JoinGroupRequestProtocol
			for i := range 10 {
				last = nil
				for k := range protocols - 1 {
					last = append(last, kmsg.JoinGroupRequestProtocol{Name: fmt.Sprintf("%d-%d", i, k)})
				}
				last = append(last, kmsg.JoinGroupRequestProtocol{Name: "common"})
				g.insert(&member{id: fmt.Sprint(i), protocols: cloneProtocols(last)})
			}
			for b.Loop() {
				if !g.supports(consumerType, last) || g.selectProtocol() != "common" {
					b.Fatal("they agree")
				}
			}
		})
	}
}
