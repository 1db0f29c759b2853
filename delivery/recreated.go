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

// A topic that is deleted and recreated has a new ID, and nothing of the
// old topic's positions holds for it. franz-go keeps asking for the old ID,
// with UNKNOWN_TOPIC_ID as the answer, until it is told to forget the topic.

// forgetTopics makes the client read topics anew that were deleted, perhaps
// to be created again; gone has the IDs they were read by. Their lanes end
// without a commit, for a commit would go to the new topic. It runs in the
// goroutine that polls while rebalances are allowed: forgetting a topic is one.
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

// replaced are those of the topics that no longer have the ID they were read
// by. A broker that was started a moment ago may not know an ID yet; then
// fetching goes on by itself, and reading the topic from its start would only
// repeat it.
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

// leftover is where the commit of a partition lies that its deleted topic may
// have left behind: from <= commit <= to, and -1 is none. Any other commit was
// made in the new topic, by a member that had the partition first. If that
// member's commit happens to be the same, its records come again.
type leftover struct{ from, to int64 }

// abandonLanes ends the lanes of a topic, and notes which commits of theirs may
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
	gone = withFormer(gone)
	stopLanes(gone)
	endLanes(gone, ErrLost)
	left := map[TP]leftover{}
	for _, ln := range gone {
		ln.mu.Lock()
		ln.gone = true
		o := leftover{from: ln.committed, to: ln.tracker.watermark()}
		ln.mu.Unlock()
		if older, ok := left[ln.tp]; ok {
			o = leftover{min(o.from, older.from), max(o.to, older.to)}
		}
		left[ln.tp] = o
	}
	c.findLeftovers(ctx, left)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leftovers == nil {
		c.leftovers = make(map[TP]leftover)
	}
	maps.Copy(c.leftovers, left)
}

// findLeftovers asks the group for its commits, once none of ours is under way
// any more. Most often they are gone with their topic. If the group does not
// answer, what the lanes know has to do.
func (c *consumer) findLeftovers(ctx context.Context, left map[TP]leftover) {
	ctx, cancel := withTimeout(ctx, c.l.client.clock, commitTimeout, errCommitTimeout)
	defer cancel()
	select {
	case c.commits.turn <- struct{}{}:
		<-c.commits.turn
	case <-ctx.Done():
		return
	}
	found, err := c.adm.FetchOffsets(ctx, c.plan.Group)
	if err != nil {
		return
	}
	for tp := range left {
		switch o, ok := found.Lookup(tp.Topic, tp.Partition); {
		case !ok:
			left[tp] = leftover{-1, -1}
		case o.Err == nil:
			left[tp] = leftover{o.At, o.At}
		}
	}
}

// startOfRecreated is where a partition of a recreated topic begins. Kafka
// deletes the commits of a topic with it; one that may be left over does not
// count, and without a commit the partition is read from its start, whatever
// StartAt says.
func (c *consumer) startOfRecreated(ctx context.Context, tp TP, committed int64) (int64, bool) {
	c.mu.Lock()
	left, ok := c.leftovers[tp]
	delete(c.leftovers, tp)
	c.mu.Unlock()
	none := committed < 0 || committed == c.startPosition().kgoOffset().EpochOffset().Offset
	if !ok || !none && (committed < left.from || committed > left.to) {
		return 0, false
	}
	start, err := Earliest().resolve(ctx, c.adm, tp, 0)
	if err != nil {
		c.log.Warn("find the start of a partition", slog.String("topic", tp.Topic), slog.Int("partition", int(tp.Partition)), slog.Any("err", err))
		start = 0 // if that is out of range, it is moved.
	}
	return start, true
}

// forgotten is what the producers know of topics that may be recreated.
type forgotten struct {
	turn chan struct{} // held while a topic is forgotten

	mu     sync.Mutex
	topics map[string]*produced
}

// produced is a topic that was produced to.
type produced struct {
	lookups int      // how often a producer was made to look it up anew
	id      [16]byte // by which records were taken, zero if none was
	learnt  bool     // id is known, or being asked for
	spared  int      // errors in a row that did not make the producers forget it
}

func newForgotten() *forgotten {
	return &forgotten{turn: make(chan struct{}, 1), topics: make(map[string]*produced)}
}

// topic returns the entry of a topic. The caller holds mu.
func (f *forgotten) topic(name string) *produced {
	t := f.topics[name]
	if t == nil {
		t = &produced{}
		f.topics[name] = t
	}
	return t
}

func (f *forgotten) count(topic string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.topic(topic).lookups
}

// taken notes that a record was taken by a topic, and reports whether the topic's
// ID is to be learnt.
func (f *forgotten) taken(topic string) (learn bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topic(topic)
	learn, t.learnt = !t.learnt, true
	return learn
}

// learn notes the ID of a topic that took a record.
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

// mostSpared is how many errors in a row a topic is spared for whose ID seems to be
// the same: it may have been recreated in the moment when its ID was learnt.
const mostSpared = 5

// forgetProduced makes the producers look a topic up anew whose ID the broker
// does not know. count is what forgotten said before the record was produced:
// of many records that fail, one is enough, and to forget the topic again would
// fail those that are on their way to the new one.
//
// A producer that forgets a topic begins its sequence numbers anew. If the topic were
// the old one, its broker could take new records for repetitions and drop them. So the
// ID must have changed: a broker that was started a moment ago may not know it yet.
func (c *Client) forgetProduced(ctx context.Context, topic string, count int, err error) {
	if !errors.Is(err, kerr.UnknownTopicID) {
		return
	}
	c.forgotten.turn <- struct{}{}
	defer func() { <-c.forgotten.turn }()
	if c.forgotten.count(topic) != count {
		return
	}
	id, lookErr := c.topicID(ctx, topic)
	if lookErr != nil || c.forgotten.spares(topic, id) {
		return // the error comes again with the next record
	}
	for _, cl := range []*kgo.Client{c.sends, c.forwards, c.alone} {
		cl.PurgeTopicsFromProducing(topic)
	}
	if ok, suppressed := c.gate.allow("topic " + topic); ok {
		c.log.Warn("topic was deleted or recreated, it is looked up again",
			slog.String("topic", topic), slog.Int("suppressed", suppressed))
	}
}

// spares reports whether a topic that has an ID now is the one that took records
// before. If not, it is counted as forgotten.
func (f *forgotten) spares(topic string, id [16]byte) bool {
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
