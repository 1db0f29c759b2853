package groups

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
)

// missing is printed in columns without a value.
const missing = "-"

func (c *command) describe(ctx context.Context) error {
	names, err := c.chosen(ctx)
	if err != nil {
		return err
	}
	groups := make([]*describedGroup, 0, len(names))
	for _, name := range names {
		g, err := describeGroup(ctx, c.conn, name)
		if err != nil {
			return exception.InFuture(err)
		}
		slices.SortStableFunc(g.members, func(a, b memberInfo) int { return strings.Compare(a.id, b.id) })
		groups = append(groups, g)
	}
	for _, g := range groups {
		switch {
		case c.set.Has("members"):
			c.describeMembers(g)
		case c.set.Has("state"):
			c.describeState(g)
		default:
			if err := c.describeOffsets(ctx, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// stateLine prints a line if a group's state is unusual. It reports whether there may be offsets or members to print.
func (c *command) stateLine(g *describedGroup) bool {
	switch g.state {
	case "Dead":
		c.s.Printf("\nError: Consumer group '%s' does not exist.\n", g.id)
		return false
	case "Empty":
		c.s.Remark("\nConsumer group '%s' has no active members.\n", g.id)
	case "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling":
		c.s.Remark("\nWarning: Consumer group '%s' is rebalancing.\n", g.id)
	}
	return true
}

// offsetRow is a line of the default table.
type offsetRow struct {
	topic, partition, epoch, current, end, lag string
	consumer, host, client                     string
}

func (c *command) describeOffsets(ctx context.Context, g *describedGroup) error {
	rows, err := c.offsetRows(ctx, g)
	if err != nil {
		return err
	}
	if !c.stateLine(g) || len(rows) == 0 {
		return nil
	}
	head := offsetRow{"TOPIC", "PARTITION", "LEADER-EPOCH", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"}
	topic, consumer, host := 15, 15, 15
	for _, r := range rows {
		topic, consumer, host = max(topic, len(r.topic)), max(consumer, len(r.consumer)), max(host, len(r.host))
	}
	line := func(group string, r offsetRow) {
		c.s.Printf("\n%-*s %-*s %-10s ", max(15, len(g.id)), group, topic, r.topic, r.partition)
		if c.set.Has("verbose") {
			c.s.Printf("%-15s ", r.epoch)
		}
		c.s.Printf("%-15s %-15s %-15s %-*s %-*s %s", r.current, r.end, r.lag, consumer, r.consumer, host, r.host, r.client)
	}
	line("GROUP", head)
	for _, r := range rows {
		line(g.id, r)
	}
	c.s.Printf("\n")
	return nil
}

// offsetRows returns the partitions of members first, beginning with the member that has the most, and then the partitions
// that have an offset but no member.
func (c *command) offsetRows(ctx context.Context, g *describedGroup) ([]offsetRow, error) {
	committed, err := c.committed(ctx, g.id)
	if err != nil {
		return nil, err
	}
	loose := maps.Clone(committed)
	members := slices.Clone(g.members)
	slices.SortStableFunc(members, func(a, b memberInfo) int { return len(b.assigned) - len(a.assigned) })
	var parts []client.TopicPartition
	var rows []offsetRow
	add := func(p client.TopicPartition, consumer, host, client string) {
		parts = append(parts, p)
		rows = append(rows, offsetRow{topic: p.Topic, partition: strconv.Itoa(int(p.Partition)), consumer: consumer, host: host, client: client})
	}
	for _, m := range members {
		for _, p := range m.assigned {
			add(p, m.id, m.host, m.client)
			delete(loose, p)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(loose), client.ComparePartitions) {
		add(p, missing, missing, missing)
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	ends, err := c.conn.ListOffsets(ctx, parts, client.AtLatest, false)
	if err != nil {
		return nil, exception.InFuture(err)
	}
	for i, p := range parts {
		rows[i].fill(committed, ends, p)
	}
	return rows, nil
}

func (r *offsetRow) fill(committed map[client.TopicPartition]committedOffset, ends map[client.TopicPartition]client.FoundOffset, p client.TopicPartition) {
	r.epoch, r.current, r.end, r.lag = missing, missing, missing, missing
	o, hasOffset := committed[p]
	end, hasEnd := ends[p]
	hasEnd = hasEnd && end.Err == nil && end.Offset >= 0
	if hasOffset {
		r.current = strconv.FormatInt(o.offset, 10)
		if o.epoch >= 0 {
			r.epoch = strconv.Itoa(int(o.epoch))
		}
	}
	if hasEnd {
		r.end = strconv.FormatInt(end.Offset, 10)
	}
	if hasOffset && hasEnd {
		r.lag = strconv.FormatInt(end.Offset-o.offset, 10)
	}
}

// memberRow is a line of the table of members.
type memberRow struct {
	consumer, instance, host, client, partitions string
	epoch, assigned, targetEpoch, target         string
	upgraded                                     string
}

func rowOf(m memberInfo) memberRow {
	r := memberRow{
		consumer: m.id, instance: m.instance, host: m.host, client: m.client, partitions: strconv.Itoa(len(m.assigned)),
		epoch: number(m.epoch), assigned: assignmentText(m.assigned), targetEpoch: number(m.targetEpoch), target: missing,
		upgraded: missing,
	}
	if m.epoch != nil {
		r.target = assignmentText(m.target)
	}
	if m.upgraded != nil {
		r.upgraded = strconv.FormatBool(*m.upgraded)
	}
	return r
}

func (c *command) describeMembers(g *describedGroup) {
	if !c.stateLine(g) {
		return
	}
	head := memberRow{
		consumer: "CONSUMER-ID", instance: "GROUP-INSTANCE-ID", host: "HOST", client: "CLIENT-ID", partitions: "#PARTITIONS",
		epoch: "CURRENT-EPOCH", assigned: "CURRENT-ASSIGNMENT", targetEpoch: "TARGET-EPOCH", target: "TARGET-ASSIGNMENT", upgraded: "UPGRADED",
	}
	consumer, host, client, assigned, target := 15, 15, 15, 20, 20
	static, mixed := false, false
	for _, m := range g.members {
		consumer, host, client = max(consumer, len(m.id)), max(host, len(m.host)), max(client, len(m.client))
		assigned, target = max(assigned, len(assignmentText(m.assigned))), max(target, len(assignmentText(m.target)))
		static = static || m.instance != ""
		mixed = mixed || m.upgraded != nil && !*m.upgraded
	}
	line := func(group string, r memberRow) {
		c.s.Printf("\n%-*s %-*s ", max(15, len(g.id)), group, consumer, r.consumer)
		if static {
			c.s.Printf("%-17s ", r.instance)
		}
		c.s.Printf("%-*s %-*s %-15s ", host, r.host, client, r.client, r.partitions)
		if c.set.Has("verbose") {
			c.s.Printf("%-15s %-*s %-15s %-*s", r.epoch, assigned, r.assigned, r.targetEpoch, target, r.target)
			if mixed {
				c.s.Printf(" %-15s", r.upgraded)
			}
		}
	}
	line("GROUP", head)
	for _, m := range g.members {
		line(g.id, rowOf(m))
	}
	c.s.Printf("\n")
}

func number(n *int32) string {
	if n == nil {
		return missing
	}
	return strconv.Itoa(int(*n))
}

// assignmentText formats partitions as topic:0,1;other:0, or as - if there are none.
func assignmentText(parts []client.TopicPartition) string {
	if len(parts) == 0 {
		return missing
	}
	var topics []string
	last := ""
	for _, p := range parts {
		id := strconv.Itoa(int(p.Partition))
		if len(topics) > 0 && p.Topic == last {
			topics[len(topics)-1] += "," + id
			continue
		}
		last = p.Topic
		topics = append(topics, p.Topic+":"+id)
	}
	return strings.Join(topics, ";")
}

func (c *command) describeState(g *describedGroup) {
	if !c.stateLine(g) {
		return
	}
	coordinator := fmt.Sprintf("%s:%d  (%d)", g.coordinator.Host, g.coordinator.Port, g.coordinator.ID)
	assignor := g.assignor
	if assignor == "" {
		assignor = missing
	}
	line := func(group, at, strategy, state, epoch, targetEpoch, members string) {
		c.s.Printf("\n%-*s %-*s %-20s %-20s ", max(15, len(g.id)), group, max(25, len(coordinator)), at, strategy, state)
		if c.set.Has("verbose") {
			c.s.Printf("%-15s %-25s ", epoch, targetEpoch)
		}
		c.s.Printf("%s", members)
	}
	line("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS")
	line(g.id, coordinator, assignor, g.state, number(g.epoch), number(g.targetEpoch), strconv.Itoa(len(g.members)))
	c.s.Printf("\n")
}

type committedOffset struct {
	offset int64
	epoch  int32
}

// committed returns a group's committed offsets.
func (c *command) committed(ctx context.Context, group string) (map[client.TopicPartition]committedOffset, error) {
	if err := c.conn.Await(ctx, "listConsumerGroupOffsets(api=FIND_COORDINATOR)"); err != nil {
		return nil, exception.InFuture(err)
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	resp, err := c.adm.FetchOffsets(ctx, group)
	if err != nil {
		return nil, exception.InFuture(exception.Of(err, "listConsumerGroupOffsets"))
	}
	found := map[client.TopicPartition]committedOffset{}
	for topic, parts := range resp {
		for id, o := range parts {
			if o.Err == nil && o.At >= 0 {
				found[client.TopicPartition{Topic: topic, Partition: id}] = committedOffset{o.At, o.LeaderEpoch}
			}
		}
	}
	return found, nil
}
