package crash_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// history collects what clients are told, as they are told.
type history struct {
	mu      sync.Mutex
	a       account
	round   int
	floors  map[string][]int64 // the highest acknowledged commit by group and partition
	waiting *progress
}

func newHistory(partitions int) *history {
	return &history{a: account{partitions: partitions}, floors: map[string][]int64{}}
}

// producer adds a producer and returns its number.
func (h *history) producer(name string, idempotent bool) int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.a.producers = append(h.a.producers, producer{name: name, idempotent: idempotent})
	return int32(len(h.a.producers) - 1)
}

// tail adds a consumer of a group and returns its number.
func (h *history) tail(group string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.a.tails = append(h.a.tails, tail{name: group, seen: make([][]entry, h.a.partitions)})
	h.floors[group] = make([]int64, h.a.partitions)
	return len(h.a.tails) - 1
}

// send notes that a producer is about to send n more values, and returns the first.
func (h *history) send(p int32, n int) (first int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = int32(h.a.producers[p].sent)
	h.a.producers[p].sent += n
	return first
}

// sentUpTo notes that a producer may have sent the sequences below n.
func (h *history) sentUpTo(p int32, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.a.producers[p].sent = max(h.a.producers[p].sent, n)
}

func (h *history) acked(p, seq int32, offset int64) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.a.producers[p].acked = append(h.a.producers[p].acked, ack{seq, int32(h.round), offset})
	if h.waiting != nil {
		h.waiting.acked(p, now)
	}
}

func (h *history) saw(tail, partition int, e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := h.a.tails[tail].seen
	seen[partition] = append(seen[partition], e)
}

func (h *history) committed(group string, partition int, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.floors[group][partition] = max(h.floors[group][partition], offset)
}

// floor returns what a group has committed so far.
func (h *history) floor(group string) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.floors[group])
}

func (h *history) observed(o observation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o.round = h.round
	h.a.observations = append(h.a.observations, o)
}

// seenUpTo returns how far a consumer has read in each partition.
func (h *history) seenUpTo(tail int) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]int64, h.a.partitions)
	for p, seen := range h.a.tails[tail].seen {
		if len(seen) > 0 {
			out[p] = seen[len(seen)-1].offset + 1
		}
	}
	return out
}

func (h *history) count() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.a.producers {
		n += len(p.acked)
	}
	return n
}

// progress waits until each of some producers gets an acknowledgement.
type progress struct {
	since, first time.Time
	missing      map[int32]bool
	done         chan struct{}
}

func (p *progress) acked(producer int32, now time.Time) {
	if p.first.IsZero() {
		p.first = now
	}
	if p.missing[producer] {
		delete(p.missing, producer)
		if len(p.missing) == 0 {
			close(p.done)
		}
	}
}

// expect ends a round. Acknowledgements from now on come after the fault that ended
// at since, and each of the producers has to get one.
func (h *history) expect(since time.Time, producers []int32) *progress {
	p := &progress{since: since, missing: map[int32]bool{}, done: make(chan struct{})}
	for _, i := range producers {
		p.missing[i] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.round++
	h.waiting = p
	return p
}

// late returns the names of the producers that still wait.
func (h *history) late(p *progress) (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range p.missing {
		out = append(out, h.a.producers[i].name)
	}
	slices.Sort(out)
	return out
}

// padding makes a value long enough that segments roll.
var padding = bytes.Repeat([]byte("."), 60)

// value returns what a producer sends as its record number seq.
func value(name string, seq int32) []byte {
	return append(fmt.Appendf(nil, "%s/%d ", name, seq), padding...)
}

// reader parses values.
type reader struct{ numbers map[string]int32 }

func (h *history) reader() reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := reader{map[string]int32{}}
	for i, p := range h.a.producers {
		r.numbers[p.name] = int32(i)
	}
	return r
}

// entry returns the entry for a value at an offset. Its producer is -1 unless every
// byte of the value is as a producer would have sent it.
func (r reader) entry(offset int64, value []byte) entry {
	nobody := entry{offset, -1, 0}
	head, rest, ok := bytes.Cut(value, []byte(" "))
	name, digits, ok2 := bytes.Cut(head, []byte("/"))
	seq, err := strconv.ParseInt(string(digits), 10, 32)
	number, known := r.numbers[string(name)]
	if !ok || !ok2 || err != nil || !known || !bytes.Equal(rest, padding) {
		return nobody
	}
	return entry{offset, number, int32(seq)}
}
