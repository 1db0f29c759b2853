package cli

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// committer keeps the positions of a group's consumer and commits them as Kafka's does: every auto.commit.interval.ms, when
// partitions go away, and at the end; without metadata, and also where nothing was read. The client's own commits carry the
// member's id as metadata.
type committer struct {
	enabled       bool
	interval      time.Duration
	committedOnly bool

	// ready is closed once client is set; the client calls back from the moment it is made.
	ready  chan struct{}
	client *connection

	mu        sync.Mutex
	positions map[topicPartition]kgo.EpochOffset
	committed map[topicPartition]kgo.EpochOffset
	last      time.Time

	// behind is where reading goes on when a partition that was lost comes back, as all do after a broker was away for a while.
	// Records that were shown must not be shown again, committed or not.
	behind map[topicPartition]int64
	// recreated topics were deleted and created again. Each is read from its start; once a record was read, the group knows
	// where to go on.
	recreated map[string]bool
}

func newCommitter() *committer {
	return &committer{
		ready: make(chan struct{}), last: time.Now(),
		positions: map[topicPartition]kgo.EpochOffset{}, committed: map[topicPartition]kgo.EpochOffset{},
		behind: map[topicPartition]int64{}, recreated: map[string]bool{},
	}
}

// start gives the committer its client.
func (c *committer) start(client *connection) {
	c.client = client
	close(c.ready)
}

// options are what the client must call back.
func (c *committer) options() []kgo.Opt {
	if !c.enabled {
		return []kgo.Opt{kgo.AdjustFetchOffsetsFn(func(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			c.resume(offsets)
			return offsets, nil
		})}
	}
	return []kgo.Opt{kgo.AdjustFetchOffsetsFn(c.assigned), kgo.OnPartitionsRevoked(c.revoked), kgo.OnPartitionsLost(c.lost)}
}

// resume lets partitions that were read before go on behind what was read, and topics that were recreated begin at
// their start.
func (c *committer) resume(offsets map[string]map[int32]kgo.Offset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, parts := range offsets {
		for id, o := range parts {
			next, ok := c.behind[topicPartition{topic, id}]
			switch {
			case c.recreated[topic] && !ok:
				parts[id] = kgo.NewOffset().AtStart()
			case ok && o.EpochOffset().Offset < next:
				parts[id] = kgo.NewOffset().At(next)
			}
		}
	}
}

// forget drops the positions in a topic that was deleted and created again.
func (c *committer) forget(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recreated[topic] = true
	for _, m := range []map[topicPartition]kgo.EpochOffset{c.positions, c.committed} {
		maps.DeleteFunc(m, func(p topicPartition, _ kgo.EpochOffset) bool { return p.topic == topic })
	}
	maps.DeleteFunc(c.behind, func(p topicPartition, _ int64) bool { return p.topic == topic })
}

// assigned turns "the beginning" and "the end" into offsets, so that they can be committed before anything is read.
func (c *committer) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-ctx.Done():
		return offsets, nil
	case <-c.ready:
	}
	c.resume(offsets)
	places := map[int64][]topicPartition{}
	for topic, parts := range offsets {
		for id, o := range parts {
			if at := o.EpochOffset().Offset; at == atLatest || at == atEarliest {
				places[at] = append(places[at], topicPartition{topic, id})
			}
		}
	}
	for at, parts := range places {
		found, err := c.client.listOffsets(ctx, parts, at, c.committedOnly)
		if err != nil {
			continue // the client finds the place itself when it fetches
		}
		for part, f := range found {
			if f.err == nil && f.offset >= 0 {
				offsets[part.topic][part.partition] = kgo.NewOffset().At(f.offset)
				c.set(part, kgo.EpochOffset{Epoch: -1, Offset: f.offset})
			}
		}
	}
	return offsets, nil
}

func (c *committer) set(p topicPartition, at kgo.EpochOffset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.positions[p] = at
}

// read moves the position behind a record.
func (c *committer) read(rec *kgo.Record) {
	p := topicPartition{rec.Topic, rec.Partition}
	if c.enabled {
		c.set(p, kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset + 1})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind[p] = rec.Offset + 1
	delete(c.recreated, rec.Topic)
}

// left says that a record was fetched and not read. Kafka's consumer seeks back to it, which forgets the epoch.
func (c *committer) left(rec *kgo.Record) {
	p := topicPartition{rec.Topic, rec.Partition}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.positions[p]; ok {
		c.positions[p] = kgo.EpochOffset{Epoch: -1, Offset: at.Offset}
	}
}

// due commits if the interval is over.
func (c *committer) due(ctx context.Context) {
	c.mu.Lock()
	due := c.enabled && time.Since(c.last) >= c.interval
	c.mu.Unlock()
	if due {
		c.commit(ctx)
	}
}

// commit sends what changed. What fails stays for the next time, as in Kafka's background commits.
func (c *committer) commit(ctx context.Context) {
	c.mu.Lock()
	c.last = time.Now()
	changed := maps.Clone(c.positions)
	maps.DeleteFunc(changed, func(p topicPartition, at kgo.EpochOffset) bool { return c.committed[p] == at })
	c.mu.Unlock()
	if !c.enabled || len(changed) == 0 {
		return
	}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, at := range changed {
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.topic][p.partition] = at
	}
	ctx, cancel := context.WithTimeout(kgo.PreCommitFnContext(ctx, withoutMetadata), c.client.timeout)
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

func (c *committer) done(changed map[topicPartition]kgo.EpochOffset, resp *kmsg.OffsetCommitResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.committed, changed)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				delete(c.committed, topicPartition{t.Topic, p.Partition})
			}
		}
	}
}

func (c *committer) revoked(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	<-c.ready
	c.commit(ctx)
	c.lost(ctx, nil, parts)
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, list := range parts {
		for _, id := range list { // somebody else reads on from what was committed
			delete(c.behind, topicPartition{topic, id})
		}
	}
}

func (c *committer) lost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, list := range parts {
		for _, id := range list {
			delete(c.positions, topicPartition{topic, id})
			delete(c.committed, topicPartition{topic, id})
		}
	}
}
