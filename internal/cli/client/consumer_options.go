package client

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/tool"
)

// ConsumerOptions turns Kafka's consumer settings into options of kgo. An empty group means that nothing is committed.
func ConsumerOptions(c *Settings, group string, commits *Committer) ([]kgo.Opt, error) {
	isolation := kgo.ReadUncommitted()
	if c.choice("isolation.level", "read_uncommitted", false, "read_committed", "read_uncommitted") == "read_committed" {
		isolation = kgo.ReadCommitted()
		commits.committedOnly = true
	}
	reset := resetOffset(c)
	opts := []kgo.Opt{
		kgo.FetchIsolationLevel(isolation),
		kgo.ConsumeStartOffset(reset),
		kgo.ConsumeResetOffset(reset),
		kgo.FetchMaxWait(max(c.Millis("fetch.max.wait.ms", 500), time.Millisecond)),
		kgo.FetchMinBytes(max(c.Int("fetch.min.bytes", 1), 0)),
		kgo.FetchMaxBytes(max(c.Int("fetch.max.bytes", 52_428_800), 1)),
		kgo.FetchMaxPartitionBytes(max(c.Int("max.partition.fetch.bytes", 1_048_576), 1)),
	}
	if c.bool("allow.auto.create.topics", true) {
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	if rack := c.Get("client.rack", ""); rack != "" {
		opts = append(opts, kgo.Rack(rack))
	}
	if group == "" {
		return opts, c.err
	}
	return append(opts, groupOptions(c, group, commits)...), c.err
}

func groupOptions(c *Settings, group string, commits *Committer) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(group),
		kgo.SessionTimeout(max(c.Millis("session.timeout.ms", 45_000), time.Millisecond)),
		kgo.HeartbeatInterval(max(c.Millis("heartbeat.interval.ms", 3_000), time.Millisecond)),
		kgo.RebalanceTimeout(max(c.Millis("max.poll.interval.ms", 300_000), time.Millisecond)),
	}
	if id := c.Get("group.instance.id", ""); id != "" {
		opts = append(opts, kgo.InstanceID(id))
	}
	if c.choice("group.protocol", "classic", true, "classic", "consumer") == "consumer" {
		balancer := kgo.StickyBalancer()
		if c.Get("group.remote.assignor", "") == "range" {
			balancer = kgo.RangeBalancer()
		}
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(balancer))
	} else {
		opts = append(opts, kgo.Balancers(balancers(c.Get("partition.assignment.strategy", ""))...))
	}
	commits.Enabled = c.bool("enable.auto.commit", true)
	commits.Interval = max(c.Millis("auto.commit.interval.ms", 5_000), 100*time.Millisecond)
	return append(append(opts, kgo.DisableAutoCommit()), commits.options()...)
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
func resetOffset(c *Settings) kgo.Offset {
	v := strings.ToLower(c.Get("auto.offset.reset", "latest"))
	duration, by := strings.CutPrefix(v, "by_duration:")
	switch {
	case v == "earliest":
		return kgo.NewOffset().AtStart()
	case v == "latest":
		return kgo.NewOffset().AtEnd()
	case v == "none":
		return kgo.NoResetOffset()
	case by:
		if d, err := tool.ParseISODuration(strings.ToUpper(duration)); err == nil {
			return kgo.NewOffset().AfterMilli(time.Now().Add(-d).UnixMilli())
		}
	}
	c.refuse("auto.offset.reset", c.Get("auto.offset.reset", ""), "Invalid value `"+v+"` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS>'.")
	return kgo.NewOffset().AtEnd()
}
