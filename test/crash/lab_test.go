package crash_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lab is one broker, its clients, and what they were told.
type lab struct {
	t       *testing.T
	d       *daemon
	disk    *disk // nil on the disk of the tests
	h       *history
	rng     *rand.Rand
	long    bool // pauses may be long
	admin   *kgo.Client
	probe   *prober
	steady  []int32 // producers that must go on after each fault
	refused int     // probes that were answered with KAFKA_STORAGE_ERROR
	groups  []string
	tails   []int

	stop    chan struct{}
	clients sync.WaitGroup // producers
	readers sync.WaitGroup
	abort   context.CancelFunc
	leave   context.CancelFunc
}

// patience is the limit for everything that must happen. How long it really takes
// depends on the machine, and is in the table.
const patience = 5 * time.Minute

// fault is a harm to the broker. run does it, ends it, and returns what waits for
// the producers to go on; the round is over when they do.
type fault struct {
	name   string
	reason string // why it is impossible here, "" if it is possible
	disk   bool   // needs a disk of its own
	run    func(l *lab) *progress
}

// round is the result of one fault.
type round struct {
	fault string
	gap   time.Duration // from the fault's end to the next acknowledgement
	all   time.Duration // from the fault's end until each producer had one
}

// result is the result of an episode.
type result struct {
	rounds  []round
	acked   []int // acknowledged since the previous fault
	refused int
	verdict *verdict
}

// open starts a broker and clients.
func open(t *testing.T, seed uint64, long bool, dk *disk) *lab {
	t.Helper()
	data := filepath.Join(t.TempDir(), "log")
	if dk != nil {
		data = filepath.Join(dk.dir, "log")
	}
	l := &lab{t: t, d: newDaemon(t, data), disk: dk, h: newHistory(partitions), rng: rand.New(rand.NewPCG(seed, 1)), long: long, stop: make(chan struct{})}
	l.d.start(t)
	var err error
	l.admin, err = kgo.NewClient(patient(l.d.addr)...)
	require.NoError(t, err)
	t.Cleanup(l.admin.Close)
	_, err = kadm.NewClient(l.admin).CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)
	l.probe = newProber(t, l.h, l.d.addr)
	l.startClients()
	return l
}

func (l *lab) startClients() {
	ctx, abort := context.WithCancel(context.Background())
	reading, leave := context.WithCancel(ctx)
	l.abort, l.leave = abort, leave
	l.t.Cleanup(func() { abort(); leave(); l.clients.Wait(); l.readers.Wait() })
	produce := func(name string, idempotent bool, opts ...kgo.Opt) {
		number := l.h.producer(name, idempotent)
		l.steady = append(l.steady, number)
		l.clients.Go(func() {
			if err := l.h.produce(ctx, l.stop, l.d.addr, number, opts...); err != nil {
				l.t.Errorf("producer: %v", err)
			}
		})
	}
	plain := []kgo.Opt{kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1)}
	produce("plain-0", false, append(slices.Clone(plain), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	produce("plain-1", false, append(slices.Clone(plain), kgo.ProducerBatchCompression(kgo.Lz4Compression()))...)
	produce("idem-0", true, kgo.ProducerBatchCompression(kgo.NoCompression()))
	produce("idem-1", true)
	l.startJava(ctx, reading)
	group := "readers"
	l.groups = append(l.groups, group)
	number := l.h.tail(group)
	l.tails = append(l.tails, number)
	l.readers.Go(func() {
		if err := l.h.follow(reading, l.d.addr, number, group); err != nil {
			l.t.Errorf("consumer: %v", err)
		}
	})
}

// pause lets clients work, or a fault last, for a time that the seed determines.
func (l *lab) pause(least, most time.Duration) {
	timer := time.NewTimer(least + time.Duration(l.rng.Int64N(int64(most-least)+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.d.ended: // await or recover reports it
	}
}

// episode runs rounds of faults, chosen by the seed, until the time is up and each
// fault had its turn. Then it judges the history.
func (l *lab) episode(faults []fault, least int, limit time.Duration) result {
	l.t.Helper()
	var out result
	began, before := time.Now(), 0
	for len(out.rounds) < least || time.Since(began) < limit {
		f := faults[l.rng.IntN(len(faults))]
		l.pause(100*time.Millisecond, time.Second)
		p := f.run(l)
		r, ok := l.recover(f.name, p)
		out.rounds = append(out.rounds, r)
		now := l.h.count()
		out.acked = append(out.acked, now-before)
		before = now
		if !ok {
			break // the verdict may show the reason
		}
		for _, group := range l.groups {
			require.NoError(l.t, l.h.observe(l.t.Context(), l.admin, group))
		}
	}
	out.verdict, out.refused = l.finish(), l.refused
	return out
}

// recover waits until each producer goes on, and reports whether they did.
func (l *lab) recover(name string, p *progress) (r round, ok bool) {
	l.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-l.d.ended:
		l.t.Fatalf("after %s the broker ended", name)
	case <-limit.C:
		l.t.Errorf("after %s there is nothing acknowledged to %s", name, strings.Join(l.h.late(p), ", "))
		return round{fault: name}, false
	}
	return round{fault: name, gap: p.first.Sub(p.since), all: time.Since(p.since)}, true
}

// restart starts the broker that was killed, and returns what waits for its clients.
func (l *lab) restart() *progress {
	l.t.Helper()
	since := time.Now()
	l.d.launch(l.t)
	p := l.h.expect(since, l.steady)
	l.d.await(l.t)
	return p
}

// finish stops the clients once the consumers have seen everything, kills the broker
// once more, reads everything and judges.
func (l *lab) finish() *verdict {
	l.t.Helper()
	close(l.stop)
	l.clients.Wait()
	ends, err := endOffsets(l.t.Context(), l.admin)
	require.NoError(l.t, err)
	for _, number := range l.tails {
		l.catchUp(number, ends)
	}
	l.leave()
	l.readers.Wait()
	l.d.kill()
	l.d.start(l.t)
	for _, group := range l.groups {
		require.NoError(l.t, l.h.observe(l.t.Context(), l.admin, group))
	}
	l.h.a.log, err = l.h.readAll(l.t.Context(), l.d.addr)
	require.NoError(l.t, err)
	require.False(l.t, l.d.panicked(l.t), "the broker panicked")
	l.d.kill()
	l.abort()
	return check(&l.h.a)
}

// catchUp waits until a consumer is at the end. If it does not get there, check
// names what it did not see.
func (l *lab) catchUp(number int, ends []int64) {
	l.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		behind := false
		for p, next := range l.h.seenUpTo(number) {
			behind = behind || next < ends[p]
		}
		if !behind {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			l.t.Errorf("%s did not come to the end", l.h.a.tails[number].name)
			return
		}
	}
}
