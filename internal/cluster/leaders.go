package cluster

import (
	"context"
	"sync"

	"github.com/botehq/bote/internal/topic"
)

// Partition names a partition of a topic.
type Partition struct {
	Topic topic.ID
	Index int32
}

// Leader is the broker that leads a partition, and its leader epoch.
type Leader struct {
	Node  *Node
	Epoch int32
}

// Gain is a partition that this broker begins to lead, and its leader epoch.
type Gain struct {
	Partition
	Epoch int32
}

// Listener opens and closes partitions as this broker gains and loses them. At most
// one goroutine at a time calls it for the same partition.
type Listener interface {
	// Gained opens partitions: when it returns they can be used. If it returns an
	// error, none of them can. If the broker leads a partition already, the epoch is
	// newer, and Gained opens its log again.
	Gained(ctx context.Context, gains []Gain) error
	// Lost ends a partition. When it returns, the partition is no longer read or
	// written here.
	Lost(ctx context.Context, p Partition) error
}

// Leaders knows the leader of each partition. A broker that is alone gains each partition
// when the partition is created or its log is opened again, and never loses one.
//
// A leader epoch belongs to its partition and never goes back.
type Leaders struct {
	self     *Node
	listener Listener

	mu     sync.RWMutex // guards what follows
	leader map[Partition]Leader
}

// NewLeaders returns a Leaders without partitions.
func NewLeaders(self *Node) *Leaders {
	return &Leaders{self: self, leader: map[Partition]Leader{}}
}

// SetListener must be called before the first gain.
func (l *Leaders) SetListener(to Listener) { l.listener = to }

// Leader returns the leader of a partition; ok is false if no leader is known.
func (l *Leaders) Leader(p Partition) (leader Leader, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	leader, ok = l.leader[p]
	return leader, ok
}

// Here reports whether this broker leads a partition.
func (l *Leaders) Here(p Partition) bool {
	leader, ok := l.Leader(p)
	return ok && leader.Node == l.self
}

// Gain makes this broker the leader of partitions. When it returns without an error
// they can be used.
func (l *Leaders) Gain(ctx context.Context, gains []Gain) error {
	if err := l.listener.Gained(ctx, gains); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range gains {
		l.leader[g.Partition] = Leader{l.self, g.Epoch}
	}
	return nil
}

// Lose makes another broker the leader of a partition. Leader returns the other broker
// before the partition ends here.
func (l *Leaders) Lose(ctx context.Context, p Partition, to Leader) error {
	here := l.Here(p)
	l.mu.Lock()
	l.leader[p] = to
	l.mu.Unlock()
	if !here {
		return nil
	}
	return l.listener.Lost(ctx, p)
}

// Forget removes a partition that was deleted.
func (l *Leaders) Forget(p Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leader, p)
}
