package client

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Committer keeps the positions of a consumer in a group and commits them as Kafka's consumer does: every
// auto.commit.interval.ms, when partitions are revoked, and at the end. It also commits the positions of partitions of which
// nothing was read. Its commits have no metadata, while franz-go's own commits have the member ID as metadata.
type Committer struct {
	Enabled       bool
	Interval      time.Duration
	committedOnly bool

	// ready is closed once client is set. The client may call back before that, as soon as it is made.
	ready  chan struct{}
	client *Conn

	mu        sync.Mutex
	positions map[TopicPartition]kgo.EpochOffset
	committed map[TopicPartition]kgo.EpochOffset
	last      time.Time

	// behind is the offset after the last record read, by partition. Reading continues there when a lost partition comes back,
	// as all partitions do after an outage of the broker: a record that was shown must not be shown again, committed or not.
	behind map[TopicPartition]int64
	// recreated are the topics that were deleted and created again. Such a topic is read from its start. Once one of its records
	// is read, the topic is removed here: from then on the group has a position.
	recreated map[string]bool
}

// NewCommitter makes a committer. Callbacks of the client wait until Start.
func NewCommitter() *Committer {
	return &Committer{
		ready: make(chan struct{}), last: time.Now(),
		positions: map[TopicPartition]kgo.EpochOffset{}, committed: map[TopicPartition]kgo.EpochOffset{},
		behind: map[TopicPartition]int64{}, recreated: map[string]bool{},
	}
}

// Start gives the committer its client.
func (c *Committer) Start(client *Conn) {
	c.client = client
	close(c.ready)
}

// options are the callbacks that the client needs.
func (c *Committer) options() []kgo.Opt {
	if !c.Enabled {
		return []kgo.Opt{kgo.AdjustFetchOffsetsFn(func(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			c.resume(offsets)
			return offsets, nil
		})}
	}
	return []kgo.Opt{kgo.AdjustFetchOffsetsFn(c.assigned), kgo.OnPartitionsRevoked(c.Revoked), kgo.OnPartitionsLost(c.lost)}
}

// resume sets the offsets of partitions that were read before to the record after the last one read, and those of recreated
// topics to the start.
func (c *Committer) resume(offsets map[string]map[int32]kgo.Offset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, parts := range offsets {
		for id, o := range parts {
			next, ok := c.behind[TopicPartition{topic, id}]
			switch {
			case c.recreated[topic] && !ok:
				parts[id] = kgo.NewOffset().AtStart()
			case ok && o.EpochOffset().Offset < next:
				parts[id] = kgo.NewOffset().At(next)
			}
		}
	}
}

// Forget drops all positions in a topic that was deleted and created again.
func (c *Committer) Forget(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recreated[topic] = true
	for _, m := range []map[TopicPartition]kgo.EpochOffset{c.positions, c.committed} {
		maps.DeleteFunc(m, func(p TopicPartition, _ kgo.EpochOffset) bool { return p.Topic == topic })
	}
	maps.DeleteFunc(c.behind, func(p TopicPartition, _ int64) bool { return p.Topic == topic })
}

// assigned replaces "start" and "end" by their offsets, so that these can be committed before anything is read.
func (c *Committer) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-ctx.Done():
		return offsets, nil
	case <-c.ready:
	}
	c.resume(offsets)
	places := map[int64][]TopicPartition{}
	for topic, parts := range offsets {
		for id, o := range parts {
			if at := o.EpochOffset().Offset; at == AtLatest || at == AtEarliest {
				places[at] = append(places[at], TopicPartition{topic, id})
			}
		}
	}
	for at, parts := range places {
		found, err := c.client.ListOffsets(ctx, parts, at, c.committedOnly)
		if err != nil {
			continue // the client looks the offset up when it fetches
		}
		for part, f := range found {
			if f.Err == nil && f.Offset >= 0 {
				offsets[part.Topic][part.Partition] = kgo.NewOffset().At(f.Offset)
				c.set(part, kgo.EpochOffset{Epoch: -1, Offset: f.Offset})
			}
		}
	}
	return offsets, nil
}

func (c *Committer) set(p TopicPartition, at kgo.EpochOffset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.positions[p] = at
}

// Read moves the position to the offset after a record.
func (c *Committer) Read(rec *kgo.Record) {
	p := TopicPartition{rec.Topic, rec.Partition}
	if c.Enabled {
		c.set(p, kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset + 1})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind[p] = rec.Offset + 1
	delete(c.recreated, rec.Topic)
}

// Left notes that a record was fetched but not read. Kafka's consumer seeks back to such a record, which clears the leader
// epoch of the position.
func (c *Committer) Left(rec *kgo.Record) {
	p := TopicPartition{rec.Topic, rec.Partition}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.positions[p]; ok {
		c.positions[p] = kgo.EpochOffset{Epoch: -1, Offset: at.Offset}
	}
}

// Due commits if Interval has passed since the last commit.
func (c *Committer) Due(ctx context.Context) {
	c.mu.Lock()
	due := c.Enabled && time.Since(c.last) >= c.Interval
	c.mu.Unlock()
	if due {
		c.Commit(ctx)
	}
}

// Commit commits the positions that changed. A position that cannot be committed is sent again next time, as in Kafka's
// background commits.
func (c *Committer) Commit(ctx context.Context) {
	c.mu.Lock()
	c.last = time.Now()
	changed := maps.Clone(c.positions)
	maps.DeleteFunc(changed, func(p TopicPartition, at kgo.EpochOffset) bool { return c.committed[p] == at })
	c.mu.Unlock()
	if !c.Enabled || len(changed) == 0 {
		return
	}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, at := range changed {
		if offsets[p.Topic] == nil {
			offsets[p.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.Topic][p.Partition] = at
	}
	ctx, cancel := context.WithTimeout(kgo.PreCommitFnContext(ctx, withoutMetadata), c.client.Timeout)
	defer cancel()
	c.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			c.done(changed, resp)
		}
	})
}

func withoutMetadata(req *kmsg.OffsetCommitRequest) error {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			req.Topics[i].Partitions[j].Metadata = new("")
		}
	}
	return nil
}

func (c *Committer) done(changed map[TopicPartition]kgo.EpochOffset, resp *kmsg.OffsetCommitResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.committed, changed)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				delete(c.committed, TopicPartition{t.Topic, p.Partition})
			}
		}
	}
}

// Revoked commits the positions of partitions that go to another member, and forgets these partitions.
func (c *Committer) Revoked(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	<-c.ready
	c.Commit(ctx)
	c.lost(ctx, nil, parts)
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, list := range parts {
		for _, id := range list { // another member continues from the committed offset
			delete(c.behind, TopicPartition{topic, id})
		}
	}
}

func (c *Committer) lost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, list := range parts {
		for _, id := range list {
			delete(c.positions, TopicPartition{topic, id})
			delete(c.committed, TopicPartition{topic, id})
		}
	}
}
