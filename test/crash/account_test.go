package crash_test

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// entry is a record as a client read it: its offset and what its value says.
type entry struct {
	offset        int64
	producer, seq int32 // producer is an index of account.producers, -1 for a value that no producer can have sent
}

// ack is an acknowledgement. Its partition is the home of its sequence.
type ack struct {
	seq    int32
	round  int32 // how many faults there had been before
	offset int64
}

// producer is what one producer did. It sent the sequences from 0 to sent-1 in order,
// each as one value.
type producer struct {
	name       string
	idempotent bool
	sent       int
	acked      []ack
}

// tail is what a consumer of a group saw, in order. It saw records again when it was
// set back to its commits.
type tail struct {
	name string
	seen [][]entry // by partition
}

// observation is a committed offset as it was found; floor is the highest that had been
// acknowledged before the question.
type observation struct {
	group        string
	partition    int
	floor, found int64
	round        int
}

// account is everything that clients were told. check judges it.
type account struct {
	partitions   int
	producers    []producer
	log          [][]entry // the final read, by partition
	tails        []tail
	observations []observation
}

// home returns the partition of a sequence.
func (a *account) home(seq int32) int { return int(seq) % a.partitions }

// kind is a promise that can be broken.
type kind string

const (
	lost       kind = "lost"       // acknowledged but not there
	moved      kind = "moved"      // acknowledged at one offset and found at another
	duplicated kind = "duplicated" // from an idempotent producer, and there more than once
	reordered  kind = "reordered"  // behind a record that was sent later
	phantom    kind = "phantom"    // there, but never sent, or not to this partition
	unseen     kind = "unseen"     // there, but a consumer of a group skipped it
	vanished   kind = "vanished"   // a consumer saw it, but it is not there
	wentBack   kind = "went back"  // a committed offset is lower than one that was acknowledged
)

// violation is a broken promise. round is the round of the acknowledgement or of the
// question, -1 if there is none.
type violation struct {
	kind  kind
	round int
	text  string
}

// verdict is the result of check. retries are second copies of records of plain
// producers, which are allowed.
type verdict struct {
	acked, retries int
	violations     []violation
}

func (v *verdict) add(k kind, round int, format string, args ...any) {
	v.violations = append(v.violations, violation{k, round, fmt.Sprintf(format, args...)})
}

func (v *verdict) count(k kind) (n int) {
	for _, x := range v.violations {
		if x.kind == k {
			n++
		}
	}
	return n
}

// String lists the violations, up to twenty.
func (v *verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d acknowledged, %d retries of plain producers, %d violations", v.acked, v.retries, len(v.violations))
	for i, x := range v.violations {
		if i == 20 {
			fmt.Fprintf(&b, "\n  and %d more", len(v.violations)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %s (round %d): %s", x.kind, x.round, x.text)
	}
	return b.String()
}

// check judges an account. It is a pure function of it.
func check(a *account) *verdict {
	v := &verdict{}
	there := v.checkLog(a)
	for i := range a.producers {
		v.checkAcks(a, int32(i), there[i])
	}
	for _, t := range a.tails {
		for p, seen := range t.seen {
			v.checkTail(a, t.name, p, seen)
		}
	}
	for _, o := range a.observations {
		if o.found < o.floor {
			v.add(wentBack, o.round, "group %s, partition %d: %d after %d was acknowledged", o.group, o.partition, o.found, o.floor)
		}
	}
	return v
}

// checkLog walks the final read and returns which sequences of each producer are there.
func (v *verdict) checkLog(a *account) []map[int32]bool {
	there := make([]map[int32]bool, len(a.producers))
	for i := range there {
		there[i] = map[int32]bool{}
	}
	for p, entries := range a.log {
		last, highest := int64(-1), make([]int32, len(a.producers))
		for i := range highest {
			highest[i] = -1
		}
		for _, e := range entries {
			if e.offset <= last {
				v.add(reordered, -1, "partition %d: offset %d was read after %d", p, e.offset, last)
			}
			last = e.offset
			if e.producer < 0 || int(e.seq) >= a.producers[e.producer].sent || e.seq < 0 || a.home(e.seq) != p {
				v.add(phantom, -1, "partition %d, offset %d: %s", p, e.offset, a.name(e))
				continue
			}
			idempotent := a.producers[e.producer].idempotent
			switch {
			case there[e.producer][e.seq] && idempotent:
				v.add(duplicated, -1, "%s again at partition %d, offset %d", a.name(e), p, e.offset)
			case there[e.producer][e.seq]:
				v.retries++
			case idempotent && e.seq < highest[e.producer]:
				v.add(reordered, -1, "%s at partition %d, offset %d is behind sequence %d", a.name(e), p, e.offset, highest[e.producer])
			}
			there[e.producer][e.seq] = true
			highest[e.producer] = max(highest[e.producer], e.seq)
		}
	}
	return there
}

// checkAcks compares the acknowledgements of a producer with the final read. Those of a
// plain producer must be in its order too: it had one request in flight, and only
// copies of records that were given up may come late.
func (v *verdict) checkAcks(a *account, index int32, there map[int32]bool) {
	p := a.producers[index]
	v.acked += len(p.acked)
	acks := slices.SortedFunc(slices.Values(p.acked), func(x, y ack) int { return cmp.Compare(x.seq, y.seq) })
	last := make([]ack, a.partitions)
	for i := range last {
		last[i].offset = -1
	}
	for _, k := range acks {
		home := a.home(k.seq)
		e, ok := at(a.log[home], k.offset)
		switch {
		case !there[k.seq]:
			v.add(lost, int(k.round), "%s/%d, acknowledged at partition %d, offset %d", p.name, k.seq, home, k.offset)
		case !ok || e.producer != index || e.seq != k.seq:
			v.add(moved, int(k.round), "%s/%d is not at partition %d, offset %d, where it was acknowledged", p.name, k.seq, home, k.offset)
		case k.offset <= last[home].offset:
			v.add(reordered, int(k.round), "%s/%d was acknowledged at partition %d, offset %d, and %d before at offset %d", p.name, k.seq, home, k.offset, last[home].seq, last[home].offset)
		}
		last[home] = k
	}
}

// checkTail compares what a consumer saw of a partition with the final read.
func (v *verdict) checkTail(a *account, name string, p int, seen []entry) {
	log := a.log[p]
	saw := make([]bool, len(log))
	for _, e := range seen {
		i, ok := position(log, e.offset)
		if !ok || log[i] != e {
			v.add(vanished, -1, "%s saw %s at partition %d, offset %d", name, a.name(e), p, e.offset)
			continue
		}
		saw[i] = true
	}
	for i, ok := range saw {
		if !ok {
			v.add(unseen, -1, "%s did not see %s at partition %d, offset %d", name, a.name(log[i]), p, log[i].offset)
		}
	}
}

func (a *account) name(e entry) string {
	if e.producer < 0 {
		return "a value of nobody"
	}
	return fmt.Sprintf("%s/%d", a.producers[e.producer].name, e.seq)
}

// position returns the index of the entry at an offset.
func position(log []entry, offset int64) (int, bool) {
	return sort.Find(len(log), func(i int) int { return cmp.Compare(offset, log[i].offset) })
}

func at(log []entry, offset int64) (entry, bool) {
	if i, ok := position(log, offset); ok {
		return log[i], true
	}
	return entry{}, false
}
