package crash_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sound returns an account without a fault: two partitions; a plain producer (0)
// with an allowed retry; an idempotent one (1) with a record that was not
// acknowledged; and a group that was set back once.
func sound() *account {
	even := []entry{{0, 0, 0}, {1, 1, 0}, {2, 0, 0}, {3, 0, 2}, {5, 1, 2}, {6, 1, 4}}
	odd := []entry{{0, 1, 1}, {1, 0, 1}, {2, 1, 3}}
	return &account{
		partitions: 2,
		producers: []producer{
			{name: "plain", sent: 3, acked: []ack{{0, 0, 2}, {1, 0, 1}, {2, 1, 3}}},
			{name: "idem", idempotent: true, sent: 6, acked: []ack{{0, 0, 1}, {1, 0, 0}, {3, 1, 2}, {2, 1, 5}}},
		},
		log:          [][]entry{even, odd},
		tails:        []tail{{name: "readers", seen: [][]entry{append(slices.Clone(even[:3]), even[1:]...), slices.Clone(odd)}}},
		observations: []observation{{"readers", 0, 3, 3, 0}, {"readers", 0, 3, 6, 1}},
	}
}

func TestCheckFindsNothingInASoundAccount(t *testing.T) {
	v := check(sound())
	require.Empty(t, v.violations, v.String())
	require.Equal(t, 7, v.acked)
	require.Equal(t, 1, v.retries)
}

// remove removes an entry from the final read and from what the consumer saw.
func (a *account) remove(p, i int) {
	e := a.log[p][i]
	a.log[p] = slices.Delete(slices.Clone(a.log[p]), i, i+1)
	a.tails[0].seen[p] = slices.DeleteFunc(slices.Clone(a.tails[0].seen[p]), func(s entry) bool { return s == e })
}

// put replaces what was read at a place, and what was seen there, by an entry.
func (a *account) put(p, i int, e entry) {
	old := a.log[p][i]
	a.log[p] = slices.Clone(a.log[p])
	a.log[p][i] = e
	for j, s := range a.tails[0].seen[p] {
		if s == old {
			a.tails[0].seen[p][j] = e
		}
	}
}

func TestCheckFindsEachViolation(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(a *account)
		want  []kind
		text  string
	}{
		{"acknowledged and gone", func(a *account) { a.remove(1, 2) }, []kind{lost}, "idem/3, acknowledged at partition 1, offset 2"},
		{"only the copy that was acknowledged is gone", func(a *account) { a.remove(0, 2) }, []kind{moved}, "plain/0 is not at partition 0, offset 2, where it was acknowledged"},
		{"acknowledged elsewhere", func(a *account) { a.producers[1].acked[2].offset = 7 }, []kind{moved}, "idem/3 is not at partition 1, offset 7, where it was acknowledged"},
		{"acknowledged at the place of another", func(a *account) { a.producers[0].acked[2].offset = 1 }, []kind{moved}, "plain/2 is not at partition 0, offset 1, where it was acknowledged"},
		{"an idempotent record twice", func(a *account) { a.put(0, 5, entry{6, 1, 2}) }, []kind{duplicated}, "idem/2 again at partition 0, offset 6"},
		{"an idempotent record late", func(a *account) {
			a.producers[1].acked = nil
			a.put(0, 4, entry{5, 1, 4})
			a.put(0, 5, entry{6, 1, 2})
		}, []kind{reordered}, "idem/2 at partition 0, offset 6 is behind sequence 4"},
		{"acknowledgements of a plain producer in another order", func(a *account) {
			a.put(0, 0, entry{0, 0, 2})
			a.producers[0].acked[2].offset = 0
		}, []kind{reordered}, "plain/2 was acknowledged at partition 0, offset 0, and 0 before at offset 2"},
		{"offsets that go back", func(a *account) { a.log[1] = append(slices.Clone(a.log[1]), entry{1, 0, 1}) }, []kind{reordered, unseen}, "partition 1: offset 1 was read after 2"},
		{"a value of nobody", func(a *account) { a.put(0, 5, entry{6, -1, 0}) }, []kind{phantom}, "partition 0, offset 6: a value of nobody"},
		{"a value that was not sent yet", func(a *account) { a.put(0, 5, entry{6, 1, 6}) }, []kind{phantom}, "partition 0, offset 6: idem/6"},
		{"a value of another partition", func(a *account) { a.put(0, 5, entry{6, 1, 5}) }, []kind{phantom}, "partition 0, offset 6: idem/5"},
		{"a consumer that skips", func(a *account) { a.tails[0].seen[1] = a.tails[0].seen[1][1:] }, []kind{unseen}, "readers did not see idem/1 at partition 1, offset 0"},
		{"a consumer that saw what is not there", func(a *account) {
			a.tails[0].seen[1] = append(a.tails[0].seen[1], entry{3, 1, 5})
		}, []kind{vanished}, "readers saw idem/5 at partition 1, offset 3"},
		{"a consumer that saw something else there", func(a *account) {
			a.tails[0].seen[1] = append(a.tails[0].seen[1], entry{2, 1, 5})
		}, []kind{vanished}, "readers saw idem/5 at partition 1, offset 2"},
		{"a commit that went back", func(a *account) { a.observations[1].found = 2 }, []kind{wentBack}, "group readers, partition 0: 2 after 3 was acknowledged"},
		{"a commit that is gone", func(a *account) { a.observations[0].found = -1 }, []kind{wentBack}, "group readers, partition 0: -1 after 3 was acknowledged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sound()
			c.plant(a)
			v := check(a)
			var kinds []kind
			for _, x := range v.violations {
				kinds = append(kinds, x.kind)
			}
			require.Equal(t, c.want, kinds, v.String())
			require.Equal(t, c.text, v.violations[0].text)
			require.Equal(t, 1, v.count(c.want[0]))
		})
	}
}

func TestCheckNamesTheRound(t *testing.T) {
	a := sound()
	a.remove(0, 4)
	require.Equal(t, []violation{{lost, 1, "idem/2, acknowledged at partition 0, offset 5"}}, check(a).violations)
}
