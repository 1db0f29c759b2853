package dlt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// errStop ends a scan early, without an error.
var errStop = errors.New("stop")

// scan calls f with the selected letters of one snapshot of the topic, by
// partition and offset.
func (d *DLT) scan(ctx context.Context, f Filter, after *Place, visit func(Letter) error) error {
	states, _, err := d.states(ctx)
	if err != nil {
		return err
	}
	ranges, err := d.ranges(ctx, d.topic)
	if err != nil {
		return err
	}
	n := 0
	for _, rg := range ranges {
		rg.narrow(f, after)
		err := d.read(ctx, rg, func(r *kgo.Record) error {
			l := newLetter(r, states[Place{r.Partition, r.Offset}])
			if !f.match(l) {
				return nil
			}
			if n++; f.Limit > 0 && n > f.Limit {
				return errStop
			}
			return visit(l)
		})
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newLetter(r *kgo.Record, s State) Letter {
	l := Letter{
		Record: r, Origin: delivery.ReadOrigin(r), Failure: delivery.ReadFailure(r.Headers),
		Redrives: delivery.RedriveCount(r.Headers),
	}
	if s.about(r) {
		l.State = s
	}
	l.Key, l.Value, l.Restored = delivery.RestoreBytes(r)
	return l
}

// offsetRange is a part of one partition: [from, to).
type offsetRange struct {
	topic     string
	partition int32
	from, to  int64
}

// ranges are the partitions of a topic as they are now, in order. A topic that
// does not exist is a delivery.TopicError.
func (d *DLT) ranges(ctx context.Context, topic string) ([]offsetRange, error) {
	topics, err := d.c.Partitions(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("look for topic %s: %w", topic, err)
	}
	if topics[topic] == 0 {
		return nil, &delivery.TopicError{Topic: topic, Err: delivery.ErrTopicMissing}
	}
	starts, err := d.adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list start offsets of %s: %w", topic, err)
	}
	ends, err := d.adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list end offsets of %s: %w", topic, err)
	}
	var out []offsetRange
	err = nil
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, o.Partition)
		err = errors.Join(err, o.Err, start.Err)
		out = append(out, offsetRange{topic, o.Partition, start.Offset, o.Offset})
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	slices.SortFunc(out, func(a, b offsetRange) int { return int(a.partition - b.partition) })
	return out, nil
}

// narrow cuts off what the filter cannot select.
func (rg *offsetRange) narrow(f Filter, after *Place) {
	rg.from = max(rg.from, f.FromOffset)
	if f.ToOffset > 0 {
		rg.to = min(rg.to, f.ToOffset)
	}
	if after != nil {
		switch {
		case rg.partition < after.Partition:
			rg.to = rg.from
		case rg.partition == after.Partition:
			rg.from = max(rg.from, after.Offset+1)
		}
	}
	if len(f.Places) == 0 {
		return
	}
	first, last := rg.to, rg.from
	for _, p := range f.Places {
		if p.Partition == rg.partition {
			first, last = min(first, p.Offset), max(last, p.Offset+1)
		}
	}
	rg.from, rg.to = max(rg.from, first), min(rg.to, last)
}

// readQuiet is how long read waits for a record before it asks whether any are
// left.
const readQuiet = 2 * time.Second

// read calls visit for each record of a range. Control records are fetched
// too, because the last offset of a range may be one. Records may be deleted
// meanwhile, even all that read still waits for.
func (d *DLT) read(ctx context.Context, rg offsetRange, visit func(*kgo.Record) error) error {
	if rg.from >= rg.to {
		return nil
	}
	cl, err := d.c.NewKgo(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{rg.topic: {rg.partition: kgo.NewOffset().At(rg.from)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)
	if err != nil {
		return fmt.Errorf("read %s: %w", rg.topic, err)
	}
	defer cl.Close()
	for {
		limited, cancel := context.WithTimeout(ctx, readQuiet)
		fetches := cl.PollFetches(limited)
		cancel()
		if fetches.Empty() && ctx.Err() == nil && limited.Err() != nil {
			if over, err := d.deleted(ctx, rg); over || err != nil {
				return err
			}
			continue
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s-%d: %w", rg.topic, rg.partition, err)
		}
		for _, r := range fetches.Records() {
			if r.Offset >= rg.to {
				return nil
			}
			if !r.Attrs.IsControl() {
				if err := visit(r); err != nil {
					return err
				}
			}
			if r.Offset == rg.to-1 {
				return nil
			}
		}
	}
}

// deleted tells whether no record of a range is left.
func (d *DLT) deleted(ctx context.Context, rg offsetRange) (bool, error) {
	starts, err := listed(d.adm.ListStartOffsets(ctx, rg.topic))
	if err != nil {
		return false, fmt.Errorf("list start offsets of %s: %w", rg.topic, err)
	}
	return starts[delivery.TP{Topic: rg.topic, Partition: rg.partition}] >= rg.to, nil
}
