package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A topic that is deleted and recreated has a new ID, and offsets of the old
// topic mean nothing in it. franz-go keeps asking for the old ID, and gets
// UNKNOWN_TOPIC_ID, until it is told to forget the topic.

// forgetTopics makes the client start over with topics that were deleted, and
// perhaps created again. gone has the IDs with which they were read. Their lanes
// end without a commit, because a commit would count for the new topic.
// forgetTopics runs in the goroutine that polls, while rebalances are allowed:
// forgetting a topic causes one.
func (c *consumer) forgetTopics(ctx context.Context, gone map[string][16]byte) {
	topics := c.replaced(ctx, gone)
	if len(topics) == 0 {
		return
	}
	for _, topic := range topics {
		c.abandonLanes(ctx, topic)
		c.warn("topic "+topic, "topic was deleted or recreated, it is read from its start", slog.String("topic", topic))
	}
	c.cl.PurgeTopicsFromConsuming(topics...)
	c.cl.AddConsumeTopics(topics...)
}

// replaced are the topics of gone that no longer have the ID with which they were
// read. A topic that still has its ID is left alone: a broker that was started a
// moment ago may not know the ID yet. Then fetching goes on by itself, and
// reading the topic from its start would only repeat records.
func (c *consumer) replaced(ctx context.Context, gone map[string][16]byte) (out []string) {
	if len(gone) == 0 {
		return nil
	}
	now, err := c.adm.ListTopics(ctx, slices.Collect(maps.Keys(gone))...)
	if err != nil {
		return nil // the error comes again with the next fetch.
	}
	for topic, id := range gone {
		if now[topic].Err != nil || [16]byte(now[topic].ID) != id {
			out = append(out, topic)
		}
	}
	return out
}

// leftCommitRange bounds the commit that a deleted topic may have left for a partition:
// from <= commit <= to, where -1 means no commit. Any other commit was made in
// the new topic, by a member that had the partition first. If that member's
// commit happens to lie in the same range, its records come again.
type leftCommitRange struct{ from, to int64 }

// abandonLanes ends the lanes of a topic, and notes which of their commits may
// be left over.
func (c *consumer) abandonLanes(ctx context.Context, topic string) {
	c.mu.Lock()
	var gone []*lane
	for _, lanes := range []map[TP]*lane{c.lanes, c.suspended} {
		for tp, ln := range lanes {
			if tp.Topic == topic {
				gone = append(gone, ln)
			}
		}
	}
	c.mu.Unlock()
	gone = withSuspendedBefore(gone)
	stopLanes(gone)
	endLanes(gone, ErrLost)
	left := map[TP]leftCommitRange{}
	for _, ln := range gone {
		ln.mu.Lock()
		ln.topicDeleted = true
		o := leftCommitRange{from: ln.committed, to: ln.tracker.watermark()}
		ln.mu.Unlock()
		if older, ok := left[ln.tp]; ok {
			o = leftCommitRange{min(o.from, older.from), max(o.to, older.to)}
		}
		left[ln.tp] = o
	}
	c.findLeftovers(ctx, left)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leftCommits == nil {
		c.leftCommits = make(map[TP]leftCommitRange)
	}
	maps.Copy(c.leftCommits, left)
}

// findLeftovers replaces the bounds in left by the commits that the group has.
// First it waits until none of our commits is under way. Most often the commits
// were deleted with their topic. If the group does not answer, left stays as the
// lanes knew it.
func (c *consumer) findLeftovers(ctx context.Context, left map[TP]leftCommitRange) {
	ctx, cancel := withTimeout(ctx, c.l.client.clock, commitTimeout, errCommitTimeout)
	defer cancel()
	if c.commits.turn.takeContext(ctx) != nil {
		return
	}
	c.commits.turn.give()
	found, err := c.adm.FetchOffsets(ctx, c.plan.Group)
	if err != nil {
		return
	}
	for tp := range left {
		switch o, ok := found.Lookup(tp.Topic, tp.Partition); {
		case !ok:
			left[tp] = leftCommitRange{-1, -1}
		case o.Err == nil:
			left[tp] = leftCommitRange{o.At, o.At}
		}
	}
}

// startOfRecreated is where a partition of a recreated topic begins. It reports
// false if the topic was not recreated, or the commit was made in the new topic.
// Kafka deletes the commits of a topic together with the topic. A commit that may
// be left over does not count. Without a commit the partition is read from its
// start, whatever StartAt says.
func (c *consumer) startOfRecreated(ctx context.Context, tp TP, committed int64) (int64, bool) {
	c.mu.Lock()
	left, ok := c.leftCommits[tp]
	delete(c.leftCommits, tp)
	c.mu.Unlock()
	none := committed < 0 || committed == c.startPosition().kgoOffset().EpochOffset().Offset
	if !ok || !none && (committed < left.from || committed > left.to) {
		return 0, false
	}
	start, err := Earliest().resolve(ctx, c.adm, tp, 0)
	if err != nil {
		c.log.Warn("find the start of a partition", slog.String("topic", tp.Topic), slog.Int("partition", int(tp.Partition)), slog.Any("err", err))
		start = 0 // if that is out of range, applyResets moves it.
	}
	return start, true
}

// producedTopics is what a Client knows about the topics it has produced to, so that
// it notices when one of them is recreated.
type producedTopics struct {
	turn token // held while a topic is forgotten

	mu     sync.Mutex
	topics map[string]*produced
}

// produced is a topic that was produced to.
type produced struct {
	lookups int      // how often the producers were made to look it up again
	id      [16]byte // the topic's ID when it accepted a record, zero if not known
	learnt  bool     // id is known, or a request for it is under way
	spared  int      // errors in a row that did not make the producers forget it
}

func newForgotten() *producedTopics {
	return &producedTopics{turn: newToken(), topics: make(map[string]*produced)}
}

// topic returns the entry of a topic. The caller holds mu.
func (f *producedTopics) topic(name string) *produced {
	t := f.topics[name]
	if t == nil {
		t = &produced{}
		f.topics[name] = t
	}
	return t
}

func (f *producedTopics) count(topic string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.topic(topic).lookups
}

// taken notes that a topic accepted a record, and reports whether the caller must
// call learn.
func (f *producedTopics) taken(topic string) (learn bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topic(topic)
	learn, t.learnt = !t.learnt, true
	return learn
}

// learn looks up and notes the ID of a topic that accepted a record.
func (c *Client) learn(topic string) {
	id, err := c.topicID(c.sends.Context(), topic)
	c.forgotten.mu.Lock()
	defer c.forgotten.mu.Unlock()
	t := c.forgotten.topic(topic)
	t.id, t.learnt = id, err == nil // else the next record learns it
}

// topicID asks the cluster for the ID of a topic; it is zero if there is no such topic.
func (c *Client) topicID(ctx context.Context, topic string) ([16]byte, error) {
	req, t := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c.sends)
	if err != nil {
		return [16]byte{}, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	for i := range resp.Topics {
		if resp.Topics[i].ErrorCode == 0 {
			return resp.Topics[i].TopicID, nil
		}
	}
	return [16]byte{}, nil
}

// mostSpared is how many errors in a row do not make the producers forget a topic
// whose ID seems unchanged. After that they forget it anyway: the topic may
// have been recreated just when its ID was learnt.
const mostSpared = 5

// forgetProduced makes the producers look up a topic again when the broker does
// not know its ID. count is the result of forgotten.count from before the record
// was produced. If the count has changed since, the producers have forgotten the
// topic already. To forget it once more would fail the records that are on their
// way to the new topic.
//
// A producer that forgets a topic starts its sequence numbers again. If the topic
// were still the old one, its broker could take new records for duplicates and
// drop them. So the ID must have changed: a broker that was started a moment ago
// may just not know it yet.
func (c *Client) forgetProduced(ctx context.Context, topic string, count int, err error) {
	if !errors.Is(err, kerr.UnknownTopicID) {
		return
	}
	if c.forgotten.turn.takeContext(ctx) != nil {
		return // nobody waits for the record any more
	}
	defer c.forgotten.turn.give()
	if c.forgotten.count(topic) != count {
		return
	}
	id, lookErr := c.topicID(ctx, topic)
	if lookErr != nil || c.forgotten.spares(topic, id) {
		return // the error comes again with the next record
	}
	for _, cl := range []*kgo.Client{c.sends, c.forwards, c.largeForwards} {
		cl.PurgeTopicsFromProducing(topic)
	}
	if ok, suppressed := c.gate.allow("topic " + topic); ok {
		c.log.Warn("topic was deleted or recreated, it is looked up again",
			slog.String("topic", topic), slog.Int("suppressed", suppressed))
	}
}

// spares reports whether id, which the topic has now, is the ID with which it
// accepted records before. If not, or after mostSpared errors in a row, spares
// reports false and counts the topic as forgotten.
func (f *producedTopics) spares(topic string, id [16]byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topic(topic)
	if t.id != [16]byte{} && t.id == id && t.spared < mostSpared {
		t.spared++
		return true
	}
	*t = produced{lookups: t.lookups + 1}
	return false
}
