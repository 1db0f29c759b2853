package delivery

import (
	"context"
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

// fixedPartitioner takes the partition a record asks for; a record asking for
// none goes by the murmur2 hash of its key, as in Java, and without a key to
// the producer's choice.
type fixedPartitioner struct {
	byKey kgo.Partitioner
	// lenient sends a record asking for a partition that does not exist by
	// its key. Without it such a record is refused.
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

// contactHook notes when a broker last answered.
type contactHook struct{ last *atomic.Int64 }

// OnBrokerRead implements kgo.HookBrokerRead.
func (h contactHook) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	if err == nil {
		h.last.Store(time.Now().UnixNano())
	}
}

// dialHook notes when a connection could not be opened.
type dialHook struct{ last *atomic.Int64 }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (h dialHook) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		h.last.Store(time.Now().UnixNano())
	}
}

// kgoLogger passes franz-go's warnings and errors on.
type kgoLogger struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (kgoLogger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l kgoLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	at := slog.LevelWarn
	if level == kgo.LogLevelError {
		at = slog.LevelError
	}
	l.log.Log(context.Background(), at, "kafka client", append([]any{"detail", msg}, keyvals...)...)
}

// newRandom gives numbers in [0, 1) to any goroutine.
func newRandom() func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}
