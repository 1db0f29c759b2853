package cli

import (
	"context"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumerOptions turns Kafka's consumer settings into kgo's. Without a group nothing is committed.
func consumerOptions(c *clientSettings, group string, positions *startPositions) ([]kgo.Opt, error) {
	isolation := kgo.ReadUncommitted()
	if c.choice("isolation.level", "read_uncommitted", false, "read_committed", "read_uncommitted") == "read_committed" {
		isolation = kgo.ReadCommitted()
		positions.committedOnly = true
	}
	reset := resetOffset(c)
	opts := []kgo.Opt{
		kgo.FetchIsolationLevel(isolation),
		kgo.ConsumeStartOffset(reset),
		kgo.ConsumeResetOffset(reset),
		kgo.FetchMaxWait(max(c.millis("fetch.max.wait.ms", 500), time.Millisecond)),
		kgo.FetchMinBytes(max(c.int("fetch.min.bytes", 1), 0)),
		kgo.FetchMaxBytes(max(c.int("fetch.max.bytes", 52_428_800), 1)),
		kgo.FetchMaxPartitionBytes(max(c.int("max.partition.fetch.bytes", 1_048_576), 1)),
	}
	if c.bool("allow.auto.create.topics", true) {
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	if rack := c.get("client.rack", ""); rack != "" {
		opts = append(opts, kgo.Rack(rack))
	}
	if group == "" {
		return opts, c.err
	}
	return append(opts, groupOptions(c, group, positions)...), c.err
}

func groupOptions(c *clientSettings, group string, positions *startPositions) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(group),
		kgo.SessionTimeout(max(c.millis("session.timeout.ms", 45_000), time.Millisecond)),
		kgo.HeartbeatInterval(max(c.millis("heartbeat.interval.ms", 3_000), time.Millisecond)),
		kgo.RebalanceTimeout(max(c.millis("max.poll.interval.ms", 300_000), time.Millisecond)),
	}
	if id := c.get("group.instance.id", ""); id != "" {
		opts = append(opts, kgo.InstanceID(id))
	}
	if c.choice("group.protocol", "classic", true, "classic", "consumer") == "consumer" {
		balancer := kgo.StickyBalancer()
		if c.get("group.remote.assignor", "") == "range" {
			balancer = kgo.RangeBalancer()
		}
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(balancer))
	} else {
		opts = append(opts, kgo.Balancers(balancers(c.get("partition.assignment.strategy", ""))...))
	}
	if !c.bool("enable.auto.commit", true) {
		return append(opts, kgo.DisableAutoCommit())
	}
	return append(opts, kgo.AutoCommitMarks(), kgo.AutoCommitInterval(max(c.millis("auto.commit.interval.ms", 5_000), 100*time.Millisecond)), kgo.AdjustFetchOffsetsFn(positions.resolve))
}

// balancers reads partition.assignment.strategy; the default is Kafka's, range before cooperative-sticky.
func balancers(strategies string) []kgo.GroupBalancer {
	var list []kgo.GroupBalancer
	for name := range strings.SplitSeq(strategies, ",") {
		switch short := name[strings.LastIndexByte(name, '.')+1:]; strings.TrimSpace(short) {
		case "RangeAssignor":
			list = append(list, kgo.RangeBalancer())
		case "RoundRobinAssignor":
			list = append(list, kgo.RoundRobinBalancer())
		case "StickyAssignor":
			list = append(list, kgo.StickyBalancer())
		case "CooperativeStickyAssignor":
			list = append(list, kgo.CooperativeStickyBalancer())
		}
	}
	if len(list) == 0 {
		return []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()}
	}
	return list
}

// resetOffset reads auto.offset.reset.
func resetOffset(c *clientSettings) kgo.Offset {
	v := strings.ToLower(c.get("auto.offset.reset", "latest"))
	duration, by := strings.CutPrefix(v, "by_duration:")
	switch {
	case v == "earliest":
		return kgo.NewOffset().AtStart()
	case v == "latest":
		return kgo.NewOffset().AtEnd()
	case v == "none":
		return kgo.NoResetOffset()
	case by:
		if d, err := isoDuration(strings.ToUpper(duration)); err == nil {
			return kgo.NewOffset().AfterMilli(time.Now().Add(-d).UnixMilli())
		}
	}
	c.refuse("auto.offset.reset", c.get("auto.offset.reset", ""), "Invalid value `"+v+"` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS>'.")
	return kgo.NewOffset().AtEnd()
}

// startPositions turns "the beginning" and "the end" into offsets when partitions are assigned and marks them for the next
// commit, as Kafka's consumer commits its position also when it read nothing.
type startPositions struct {
	ready         chan struct{}
	client        *connection
	committedOnly bool
}

func (p *startPositions) resolve(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-ctx.Done():
		return offsets, nil
	case <-p.ready:
	}
	places := map[int64][]topicPartition{}
	for topic, parts := range offsets {
		for id, o := range parts {
			if at := o.EpochOffset().Offset; at == atLatest || at == atEarliest {
				places[at] = append(places[at], topicPartition{topic, id})
			}
		}
	}
	for at, parts := range places {
		found, err := p.client.listOffsets(ctx, parts, at, p.committedOnly)
		if err != nil {
			continue // the client finds the place itself when it fetches
		}
		for part, f := range found {
			if f.err != nil || f.offset < 0 {
				continue
			}
			offsets[part.topic][part.partition] = kgo.NewOffset().At(f.offset)
			p.client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{part.topic: {part.partition: {Epoch: -1, Offset: f.offset}}})
		}
	}
	return offsets, nil
}
