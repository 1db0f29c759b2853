package groups

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const loggerOffsets = "org.apache.kafka.tools.OffsetsUtils"

// plan is the new offsets by group and partition.
type plan map[string]map[client.TopicPartition]int64

func (c *command) reset(ctx context.Context) error {
	names, err := c.chosen(ctx)
	if err != nil {
		return err
	}
	file, err := c.planFromFile(names)
	if err != nil {
		return err
	}
	result := plan{}
	for _, name := range names {
		moves, err := c.resetGroup(ctx, name, file)
		if err != nil {
			return err
		}
		if moves != nil {
			result[name] = moves
		}
	}
	if c.set.Has("export") {
		c.s.Printf("%s\n", exported(result, len(names) == 1 && !c.set.Has("all-groups")))
		return nil
	}
	c.printPlan(result)
	return nil
}

// resetGroup returns the new offsets of a group, and commits them if --execute is given. It returns nil if the group is active
// or has no plan.
func (c *command) resetGroup(ctx context.Context, name string, file plan) (map[client.TopicPartition]int64, error) {
	g, err := describeGroup(ctx, c.conn, name)
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
	case err != nil:
		return nil, exception.InFuture(err)
	case g.state != "Empty" && g.state != "Dead":
		c.s.Printf("\nError: Assignments can only be reset if the group '%s' is inactive, but the current state is %s.\n", name, g.state)
		return nil, nil
	}
	parts, err := c.resetScope(ctx, name)
	if err != nil {
		return nil, err
	}
	moves, err := c.target(ctx, name, parts, file)
	if err != nil || moves == nil || !c.set.Has("execute") {
		return moves, err
	}
	offsets := kadm.Offsets{}
	for p, at := range moves {
		offsets.AddOffset(p.Topic, p.Partition, at, -1)
	}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	resp, err := c.adm.CommitOffsets(ctx, name, offsets)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return nil, exception.InFuture(exception.Of(err, "alterConsumerGroupOffsets"))
	}
	return moves, nil
}

// resetScope returns the partitions that --all-topics or --topic select.
func (c *command) resetScope(ctx context.Context, group string) ([]client.TopicPartition, error) {
	switch {
	case c.set.Has("all-topics"):
		committed, err := c.committed(ctx, group)
		return slices.SortedFunc(maps.Keys(committed), client.ComparePartitions), err
	case c.set.Has("topic"):
		topics, parts, err := topicArguments(c.set.All("topic"))
		if err != nil {
			return nil, err
		}
		named := slices.Clone(parts)
		parts, unknown, err := c.partitionsOf(ctx, topics, parts)
		if err != nil {
			return nil, err
		}
		if len(unknown) > 0 {
			return nil, exception.FromBroker(kerr.UnknownTopicOrPartition.Code, nil)
		}
		return parts, c.refuseUnknown(ctx, named)
	case c.set.Has("from-file"):
		return nil, nil
	}
	return nil, jopt.BadUsage("One of the reset scopes should be defined: --all-topics, --topic.")
}

func (c *command) refuseUnknown(ctx context.Context, parts []client.TopicPartition) error {
	if len(parts) == 0 {
		return nil
	}
	topics, err := c.conn.Topics(ctx, "describeTopics")
	if err != nil {
		return err
	}
	var unknown []string
	for _, p := range parts {
		exists := slices.ContainsFunc(topics, func(t client.Topic) bool {
			return t.Name == p.Topic && slices.ContainsFunc(t.Partitions, func(q client.Partition) bool { return q.ID == p.Partition })
		})
		if !exists {
			unknown = append(unknown, p.String())
		}
	}
	if len(unknown) > 0 {
		return exception.New(exception.UnknownTopicOrPartition, `The partitions "%s" do not exist`, strings.Join(unknown, ", "))
	}
	return nil
}

// target returns the new offsets for the scenario that the options select.
func (c *command) target(ctx context.Context, group string, parts []client.TopicPartition, file plan) (map[client.TopicPartition]int64, error) {
	r := &jopt.Reader{Set: c.set}
	offset, shift := r.Int64("to-offset", 0), r.Int64("shift-by", 0)
	datetime, duration := r.Text("to-datetime", ""), r.Text("by-duration", "")
	if r.Err != nil {
		return nil, r.Err
	}
	switch {
	case c.set.Has("to-offset"):
		return c.clamped(ctx, eachAt(parts, offset))
	case c.set.Has("to-earliest"):
		return c.places(ctx, parts, client.AtEarliest)
	case c.set.Has("to-latest"):
		return c.places(ctx, parts, client.AtLatest)
	case c.set.Has("shift-by"):
		return c.shifted(ctx, group, parts, shift)
	case c.set.Has("to-current"):
		return c.current(ctx, group, parts)
	case c.set.Has("to-datetime"):
		at, err := parseDateTime(datetime)
		if err != nil {
			return nil, err
		}
		return c.atTime(ctx, parts, at)
	case c.set.Has("by-duration"):
		d, err := tool.ParseISODuration(duration)
		if err != nil {
			return nil, err
		}
		return c.atTime(ctx, parts, time.Now().Add(-d))
	case c.set.Has("from-file"):
		moves, ok := file[group]
		if !ok {
			c.s.Printf("\nError: No reset plan for group %s found\n", group)
			return nil, nil
		}
		return c.clamped(ctx, moves)
	}
	return nil, jopt.BadUsage("Option '[reset-offsets]' requires one of the following scenarios: [" + jopt.Bracketed(resetScenarios...) + "]")
}

func eachAt(parts []client.TopicPartition, at int64) map[client.TopicPartition]int64 {
	moves := map[client.TopicPartition]int64{}
	for _, p := range parts {
		moves[p] = at
	}
	return moves
}

// places returns the start or end offsets of partitions.
func (c *command) places(ctx context.Context, parts []client.TopicPartition, at int64) (map[client.TopicPartition]int64, error) {
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	found, err := c.conn.ListOffsets(ctx, parts, at, false)
	if err != nil {
		return nil, err
	}
	moves := map[client.TopicPartition]int64{}
	for _, p := range parts {
		f, ok := found[p]
		if ok && f.Err != nil {
			return nil, f.Err
		}
		if ok {
			moves[p] = f.Offset
		}
	}
	return moves, nil
}

// clamped limits offsets to the range from start to end of their partition, and logs each offset that it changes.
func (c *command) clamped(ctx context.Context, moves map[client.TopicPartition]int64) (map[client.TopicPartition]int64, error) {
	parts := slices.SortedFunc(maps.Keys(moves), client.ComparePartitions)
	low, err := c.places(ctx, parts, client.AtEarliest)
	if err != nil {
		return nil, err
	}
	high, err := c.places(ctx, parts, client.AtLatest)
	if err != nil {
		return nil, err
	}
	kept := map[client.TopicPartition]int64{}
	for _, p := range parts {
		at := moves[p]
		switch {
		case at > high[p]:
			c.s.Log(tool.LevelWarn, loggerOffsets, "New offset (%d) is higher than latest offset for topic partition %s. Value will be set to %d", at, p, high[p])
		case at < low[p]:
			c.s.Log(tool.LevelWarn, loggerOffsets, "New offset (%d) is lower than earliest offset for topic partition %s. Value will be set to %d", at, p, low[p])
		}
		kept[p] = min(max(at, low[p]), high[p])
	}
	return kept, nil
}

func (c *command) shifted(ctx context.Context, group string, parts []client.TopicPartition, by int64) (map[client.TopicPartition]int64, error) {
	committed, err := c.committed(ctx, group)
	if err != nil {
		return nil, err
	}
	moves := map[client.TopicPartition]int64{}
	for _, p := range parts {
		o, ok := committed[p]
		if !ok {
			return nil, exception.New(exception.IllegalArgument, "Cannot shift offset for partition %s since there is no current committed offset", p)
		}
		moves[p] = o.offset + by
	}
	return c.clamped(ctx, moves)
}

func (c *command) current(ctx context.Context, group string, parts []client.TopicPartition) (map[client.TopicPartition]int64, error) {
	committed, err := c.committed(ctx, group)
	if err != nil {
		return nil, err
	}
	moves, err := c.places(ctx, parts, client.AtLatest)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if o, ok := committed[p]; ok {
			moves[p] = o.offset
		}
	}
	return moves, nil
}

// atTime returns the offset of the first record at or after a time, or the end offset if there is no such record.
func (c *command) atTime(ctx context.Context, parts []client.TopicPartition, at time.Time) (map[client.TopicPartition]int64, error) {
	moves, err := c.places(ctx, parts, at.UnixMilli())
	if err != nil {
		return nil, err
	}
	var none []client.TopicPartition
	for _, p := range parts {
		if o, ok := moves[p]; !ok || o < 0 {
			none = append(none, p)
			c.s.Printf("\nWarn: Partition %d from topic %s is empty. Falling back to latest known offset.\n", p.Partition, p.Topic)
		}
	}
	ends, err := c.places(ctx, none, client.AtLatest)
	maps.Copy(moves, ends)
	return moves, err
}

// parseDateTime reads YYYY-MM-DDTHH:mm:SS.sss with or without a time zone. Without one it is UTC.
func parseDateTime(text string) (time.Time, error) {
	fail := func(why string) (time.Time, error) {
		return time.Time{}, &exception.Error{Class: exception.Runtime, Text: "java.text.ParseException: " + why}
	}
	_, clock, ok := strings.Cut(text, "T")
	if !ok {
		return fail("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
	}
	if !strings.ContainsAny(clock, "+-Z") {
		text += "Z"
	}
	for _, layout := range []string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000Z0700", "2006-01-02T15:04:05.000Z07", time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return fail(`Unparseable date: "` + text + `"`)
}

// planFromFile reads the CSV file of --from-file. Its lines are topic,partition,offset for one group, and
// group,topic,partition,offset for several. If one line cannot be read, the plan is empty: no group has a plan then.
func (c *command) planFromFile(groups []string) (plan, error) {
	name, err := c.set.Text("from-file", "")
	if err != nil || name == "" {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, &exception.Error{Class: exception.Runtime, Text: "java.io.IOException: Unable to read file " + name, Cause: err}
		}
		return nil, exception.New(exception.Runtime, "java.io.IOException: %v", err)
	}
	defer f.Close()
	lines := csv.NewReader(f)
	lines.FieldsPerRecord = -1
	lines.TrimLeadingSpace = true
	rows, err := lines.ReadAll()
	if err != nil {
		return plan{}, nil
	}
	result := plan{}
	for _, row := range rows {
		if len(row) == 3 && len(groups) == 1 {
			row = append([]string{groups[0]}, row...)
		}
		if len(row) != 4 {
			return plan{}, nil
		}
		partition, perr := tool.ParseInt32(row[2])
		offset, oerr := strconv.ParseInt(row[3], 10, 64)
		if cmp.Or(perr, oerr) != nil {
			return plan{}, nil
		}
		if result[row[0]] == nil {
			result[row[0]] = map[client.TopicPartition]int64{}
		}
		result[row[0]][client.TopicPartition{Topic: row[1], Partition: partition}] = offset
	}
	return result, nil
}

func exported(result plan, single bool) string {
	var b strings.Builder
	for _, group := range slices.Sorted(maps.Keys(result)) {
		for _, p := range slices.SortedFunc(maps.Keys(result[group]), client.ComparePartitions) {
			if !single {
				b.WriteString(group + ",")
			}
			b.WriteString(p.Topic + "," + strconv.Itoa(int(p.Partition)) + "," + strconv.FormatInt(result[group][p], 10) + "\n")
		}
	}
	return b.String()
}

func (c *command) printPlan(result plan) {
	g, t := 15, 15
	for group, moves := range result {
		g = max(g, len(group))
		for p := range moves {
			t = max(t, len(p.Topic))
		}
	}
	c.s.Printf("\n%-*s %-*s %-10s %s", g, "GROUP", t, "TOPIC", "PARTITION", "NEW-OFFSET")
	for _, group := range slices.Sorted(maps.Keys(result)) {
		for _, p := range slices.SortedFunc(maps.Keys(result[group]), client.ComparePartitions) {
			c.s.Printf("\n%-*s %-*s %-10d %d", g, group, t, p.Topic, p.Partition, result[group][p])
		}
	}
	c.s.Printf("\n")
}
