package delivery

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// anyPartition leaves the choice of the partition to the key.
const anyPartition = -1

// fixedPartitioner uses the partition that a record names. If the record names
// none, the murmur2 hash of its key decides, as in Java. Without a key the
// producer chooses.
type fixedPartitioner struct {
	byKey kgo.Partitioner
	// lenient makes a record go by its key if it names a partition that does
	// not exist. Otherwise such a record is refused.
	lenient bool
}

func sendPartitioner() kgo.Partitioner {
	return fixedPartitioner{byKey: kgo.StickyKeyPartitioner(nil)}
}

func forwardPartitioner() kgo.Partitioner {
	return fixedPartitioner{byKey: kgo.StickyKeyPartitioner(nil), lenient: true}
}

// ForTopic implements kgo.Partitioner.
func (p fixedPartitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return &fixedTopicPartitioner{byKey: p.byKey.ForTopic(topic), lenient: p.lenient}
}

type fixedTopicPartitioner struct {
	byKey   kgo.TopicPartitioner
	lenient bool
}

// RequiresConsistency is true where the mapping must not depend on which
// partitions have a leader just now.
func (p *fixedTopicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.byKey.RequiresConsistency(r)
}

func (p *fixedTopicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 && (int(r.Partition) < n || !p.lenient) {
		return int(r.Partition)
	}
	return p.byKey.Partition(r, n)
}

// contact knows whether brokers answer.
type contact struct {
	clock   Clock
	last    atomic.Int64 // unix ns of the last answer of any broker
	failing atomic.Bool  // something went wrong since
}

// quiet is how long no broker has answered although one was asked.
func (c *contact) quiet(now time.Time) time.Duration {
	if !c.failing.Load() {
		return 0
	}
	return now.Sub(time.Unix(0, c.last.Load()))
}

func (c *contact) answered() {
	c.last.Store(c.clock.Now().UnixNano())
	c.failing.Store(false)
}

// OnBrokerRead implements kgo.HookBrokerRead.
func (c *contact) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	switch {
	case err == nil:
		c.answered()
	case !errors.Is(err, context.Canceled):
		c.failing.Store(true)
	}
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (c *contact) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		c.failing.Store(true)
	}
}

// dialHook notes when a connection could not be opened.
type dialHook struct {
	clock Clock
	last  *atomic.Int64
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (h dialHook) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		h.last.Store(h.clock.Now().UnixNano())
	}
}

// kgoLogger passes franz-go's warnings and errors on, as many of one text as
// the gate lets through: an outage repeats the same few texts without end.
type kgoLogger struct {
	log  *slog.Logger
	gate *logGate

	ofGroup bool // log names the group, so franz-go's own attribute is left out
}

// Level implements kgo.Logger.
func (kgoLogger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l kgoLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	ok, suppressed := l.gate.allow("kafka client " + msg)
	if !ok {
		return
	}
	at := slog.LevelWarn
	if level == kgo.LogLevelError {
		at = slog.LevelError
	}
	args := []any{"detail", msg}
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] != "group" || !l.ofGroup {
			args = append(args, keyvals[i], keyvals[i+1])
		}
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	l.log.Log(context.Background(), at, "kafka client", args...)
}

// newRandom returns a function that gives numbers in [0, 1) to any goroutine.
func newRandom() func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}
