package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/message"
)

const (
	metadataAge = 3 * time.Second // how soon a new topic is noticed
	quietPoll   = 2 * time.Second // if no record comes for this long, the view has caught up
)

// Feed reads topics from their beginning, without a group, into a view.
type Feed struct {
	view   *View
	client *delivery.Client
	topics []string
	ready  chan struct{}
	once   sync.Once
}

// EventTopics are the topics of the worker's events alone.
func EventTopics() []string { return []string{message.TopicStatus} }

// AllTopics are all topics that feed a view.
func AllTopics() []string {
	out := EventTopics()
	for _, main := range []string{message.TopicEmails, message.TopicSMS, message.TopicOrders} {
		out = append(out, main, main+message.DeadLetterSuffix, main+dltStateSuffix)
	}
	return out
}

// NewFeed makes the feed of a view.
func NewFeed(v *View, c *delivery.Client, topics []string) *Feed {
	return &Feed{view: v, client: c, topics: topics, ready: make(chan struct{})}
}

// Ready is closed when all that was on the topics at the start has been read.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Run creates the topics if need be, and reads until ctx ends.
func (f *Feed) Run(ctx context.Context) error {
	if !message.Provision(ctx, f.client) {
		return nil
	}
	cl, err := f.client.NewKgo(
		kgo.ConsumeTopics(f.topics...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMaxAge(metadataAge), kgo.MetadataMinAge(time.Second),
		kgo.FetchMaxWait(time.Second),
	)
	if err != nil {
		return fmt.Errorf("read statuses: %w", err)
	}
	defer cl.Close()
	missing := f.ends(ctx)
	f.mark(missing)
	for ctx.Err() == nil {
		f.poll(ctx, cl, missing)
	}
	return nil
}

// ends are the ends of the partitions that have records.
func (f *Feed) ends(ctx context.Context) map[delivery.TP]int64 {
	adm := kadm.NewClient(f.client.Kgo())
	starts, err := adm.ListStartOffsets(ctx, f.topics...)
	ends, err2 := adm.ListEndOffsets(ctx, f.topics...)
	out := map[delivery.TP]int64{}
	if err != nil || err2 != nil {
		f.client.Logger().Debug("ends of topics are unknown", slog.Any("err", err), slog.Any("err_ends", err2))
	}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(o.Topic, o.Partition)
		if o.Err == nil && o.Offset > start.Offset {
			out[delivery.TP{Topic: o.Topic, Partition: o.Partition}] = o.Offset
		}
	})
	return out
}

func (f *Feed) mark(missing map[delivery.TP]int64) {
	if len(missing) == 0 {
		f.once.Do(func() { close(f.ready) })
	}
}

// poll reads what is there. The last records before an end may have been compacted
// away, or may be hidden, so a poll without a record counts as the end too.
func (f *Feed) poll(ctx context.Context, cl *kgo.Client, missing map[delivery.TP]int64) {
	limit, cancel := ctx, context.CancelFunc(func() {})
	if len(missing) > 0 {
		limit, cancel = context.WithTimeout(ctx, quietPoll)
	}
	defer cancel()
	fetches := cl.PollFetches(limit)
	if ctx.Err() != nil {
		return
	}
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, kerr.UnknownTopicID) { // the topic was deleted and recreated
			cl.PurgeTopicsFromConsuming(e.Topic)
			cl.AddConsumeTopics(e.Topic)
		}
	}
	fetches.EachRecord(func(r *kgo.Record) {
		f.view.Read(r)
		tp := delivery.TP{Topic: r.Topic, Partition: r.Partition}
		if end, waits := missing[tp]; waits && r.Offset+1 >= end {
			delete(missing, tp)
		}
	})
	if limit.Err() != nil {
		clear(missing)
	}
	f.mark(missing)
}
