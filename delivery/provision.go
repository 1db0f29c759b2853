package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	retryRetention      = 7 * 24 * time.Hour
	deadLetterRetention = 14 * 24 * time.Hour
	retryMargin         = 24 * time.Hour   // how long a listener may be down before records of a retry topic are deleted unread
	missingCheck        = 5 * time.Second  // how often a missing main topic is looked for
	missingWarn         = 30 * time.Second // how often that is logged
)

func (c *Client) admin() *kadm.Client { return kadm.NewClient(c.sends) }

// chainTopic is a topic of the chain that must exist before it is needed.
type chainTopic struct {
	name      string
	retry     bool          // else it is a dead-letter topic, or for parked records
	delay     time.Duration // the longest that a record waits in a retry topic
	retention time.Duration // with which the topic is created
}

// chainTopics are the topics the listener creates; never the main topic, and
// never the retry topics of earlier configurations.
func (l *Listener) chainTopics() []chainTopic {
	longest := time.Duration(0)
	for _, t := range l.chain.tiers {
		longest = max(longest, l.cfg.tiers.jittered(t.delay, 1))
	}
	var out []chainTopic
	for _, t := range l.chain.tiers {
		out = append(out, chainTopic{t.topic, true, l.cfg.tiers.jittered(t.delay, 1), max(retryRetention, 4*longest)})
	}
	for _, t := range l.chain.deadLetterTopics() {
		out = append(out, chainTopic{t, false, 0, deadLetterRetention})
	}
	return out
}

// provision waits for the main topic, creates the topics of the chain that are
// missing, and checks the settings of all.
func (l *Listener) provision(ctx context.Context) error {
	partitions, err := l.awaitMain(ctx)
	if err != nil {
		return err
	}
	topics := l.chainTopics()
	if len(topics) == 0 {
		return nil
	}
	return l.patiently(ctx, "chain topics of "+l.chain.main, func() error {
		found, err := l.describe(ctx, names(topics))
		if err != nil {
			return err
		}
		for _, t := range topics {
			if err := l.provisionTopic(ctx, t, found[t.name], partitions); err != nil {
				return err
			}
		}
		return l.checkConfigs(ctx, topics)
	})
}

func names(topics []chainTopic) []string {
	out := make([]string, len(topics))
	for i, t := range topics {
		out[i] = t.name
	}
	return out
}

// awaitMain waits until the main topic exists, and returns its number of
// partitions.
func (l *Listener) awaitMain(ctx context.Context) (int32, error) {
	var partitions int32
	err := l.patiently(ctx, "main topic "+l.chain.main, func() error {
		found, err := l.describe(ctx, []string{l.chain.main})
		if err != nil {
			return err
		}
		t := found[l.chain.main]
		if t.err != nil {
			return t.err
		}
		if partitions = t.partitions; partitions == 0 {
			if l.cfg.requireTopics {
				return &TopicError{Topic: l.chain.main, Err: ErrTopicMissing}
			}
			return ErrTopicMissing
		}
		return nil
	})
	return partitions, err
}

// patiently calls f until it succeeds. It returns at once on a TopicError and,
// with HaltOnAuth, on an authError. Any other error degrades health and is logged
// every missingWarn; f is called again every missingCheck.
func (l *Listener) patiently(ctx context.Context, what string, f func() error) error {
	defer l.health.clear(what)
	var warned time.Time
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if _, ok := errors.AsType[*TopicError](err); ok {
			return err
		}
		if l.cfg.haltOnAuth && authError(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		l.health.degrade(what, err.Error())
		if now := l.client.clock.Now(); warned.IsZero() || now.Sub(warned) >= missingWarn {
			warned = now
			l.log.Warn("cannot start yet", slog.String("step", what), slog.Any("err", err), slog.String("hint", startHint(err)))
		}
		expired, stop := timerChan(l.client.clock, missingCheck)
		select {
		case <-expired:
		case <-ctx.Done():
			stop()
			return ctx.Err()
		}
	}
}

// startHint says what a person can do about an error that keeps a listener from
// starting.
func startHint(err error) string {
	if errors.Is(err, ErrTopicMissing) {
		return "a main topic is never created by a listener: create it, as with kafka-topics.sh --create"
	}
	return "it is tried again"
}

// described is what metadata says about a topic; partitions is 0 if it is missing.
type described struct {
	partitions int32
	writable   bool
	err        error
}

// describe asks for topics without creating them.
func (l *Listener) describe(ctx context.Context, topics []string) (map[string]described, error) {
	return l.client.describe(ctx, topics)
}

// Partitions asks the cluster, not a cache, how many partitions topics have;
// without topics it asks for all. A topic that does not exist is left out.
func (c *Client) Partitions(ctx context.Context, topics ...string) (map[string]int, error) {
	found, err := c.describe(ctx, topics)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int, len(found))
	for name, d := range found {
		if d.err != nil {
			return nil, d.err
		}
		if d.partitions > 0 {
			out[name] = int(d.partitions)
		}
	}
	return out, nil
}

func (c *Client) describe(ctx context.Context, topics []string) (map[string]described, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, t := range topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = new(t)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, c.sends)
	if err != nil {
		return nil, fmt.Errorf("ask for topics: %w", err)
	}
	out := map[string]described{}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		d := described{partitions: int32(len(t.Partitions)), writable: mayWrite(t.AuthorizedOperations)}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			d.partitions = 0
			if !errors.Is(err, kerr.UnknownTopicOrPartition) {
				d.err = fmt.Errorf("topic %s: %w", *t.Topic, err)
			}
		}
		out[*t.Topic] = d
	}
	return out, nil
}

// mayWrite reports whether the bit set of allowed operations has WRITE. It is true
// if the broker does not say: then it sends the smallest int32, or nothing.
func mayWrite(ops int32) bool {
	return ops <= 0 || ops&(1<<kmsg.ACLOperationWrite) != 0
}

func (l *Listener) provisionTopic(ctx context.Context, t chainTopic, found described, partitions int32) error {
	switch {
	case found.err != nil:
		return found.err
	case found.partitions == 0 && !l.cfg.autoCreate:
		return &TopicError{Topic: t.name, Err: ErrTopicMissing}
	case found.partitions == 0:
		return l.create(ctx, t, partitions)
	case !found.writable:
		return &TopicError{Topic: t.name, Err: ErrNoWritePermission}
	}
	return nil
}

// headerRoom is what the headers of a copy may add to a record at the limit of
// the main topic.
const headerRoom = 16 << 10

func (l *Listener) create(ctx context.Context, t chainTopic, partitions int32) error {
	configs := map[string]*string{
		"cleanup.policy":  new("delete"),
		"retention.ms":    new(millis(t.retention)),
		"retention.bytes": new("-1"), // else the broker's log.retention.bytes applies
	}
	if limit, ok := l.mainLimit(ctx); ok {
		configs["max.message.bytes"] = new(strconv.Itoa(limit + headerRoom))
	}
	_, err := l.client.admin().CreateTopic(ctx, partitions, -1, configs, t.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.name, err)
	}
	if err == nil {
		l.log.Info("topic created", slog.String("topic", t.name), slog.Int("partitions", int(partitions)))
	}
	return nil
}

// mainLimit is the main topic's max.message.bytes, if it can be known. Copies
// of its records must fit into the topics that are created for them.
func (l *Listener) mainLimit(ctx context.Context) (int, bool) {
	described, err := l.client.admin().DescribeTopicConfigs(ctx, l.chain.main)
	if err != nil || len(described) != 1 || described[0].Err != nil {
		return 0, false
	}
	for _, c := range described[0].Configs {
		if c.Key == "max.message.bytes" {
			n, err := strconv.Atoi(c.MaybeValue())
			return n, err == nil && n > 0 && n <= largestBatch
		}
	}
	return 0, false
}

// checkConfigs refuses topics that would lose records.
func (l *Listener) checkConfigs(ctx context.Context, topics []chainTopic) error {
	described, err := l.client.admin().DescribeTopicConfigs(ctx, names(topics)...)
	if authError(err) {
		return nil // it cannot be known.
	}
	if err != nil {
		return fmt.Errorf("describe topic configs: %w", err)
	}
	for _, d := range described {
		i := slices.IndexFunc(topics, func(t chainTopic) bool { return t.name == d.Name })
		if d.Err != nil || i < 0 {
			continue // not readable, or gone again: publishing will tell.
		}
		if err := l.checkConfig(topics[i], d); err != nil {
			return err
		}
	}
	return nil
}

// checkConfig refuses a topic that is certain to lose records, and only warns
// about one that may lose some: such a setting often comes from the broker's
// defaults, which the program cannot change.
func (l *Listener) checkConfig(t chainTopic, d kadm.ResourceConfig) error {
	warn := func(setting, value, why, better string) {
		l.log.Warn("a topic may lose records that wait in it", slog.String("why", why), slog.String("topic", t.name), slog.String(setting, value),
			slog.String("to_change", "kafka-configs.sh --alter --entity-type topics --entity-name "+t.name+" --add-config "+setting+"="+better))
	}
	for _, c := range d.Configs {
		switch c.Key {
		case "cleanup.policy":
			if strings.Contains(c.MaybeValue(), "compact") {
				return &TopicError{Topic: t.name, Err: ErrTopicCompacted}
			}
		case "retention.ms":
			ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
			switch {
			case err != nil || ms < 0 || !t.retry:
			case ms < t.delay.Milliseconds():
				return &TopicError{Topic: t.name, Err: ErrRetentionTooShort}
			case ms < (t.delay + retryMargin).Milliseconds():
				warn(c.Key, c.MaybeValue(), "retention.ms is less than the delay plus one day, so records are deleted unread if no listener runs that long",
					strconv.FormatInt((t.delay+retryMargin).Milliseconds(), 10))
			}
		case "retention.bytes":
			limit, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
			if err == nil && limit >= 0 {
				warn(c.Key, c.MaybeValue(), "its size is limited", "-1")
			}
		}
	}
	return nil
}

// createIfMissing creates a topic of the chain that a publish did not find.
func (l *Listener) createIfMissing(ctx context.Context, topic string, cause error) {
	if !l.cfg.autoCreate || !errors.Is(cause, kerr.UnknownTopicOrPartition) && !errors.Is(cause, kerr.UnknownTopicID) {
		return
	}
	topics := append(l.chainTopics(), chainTopic{l.chain.parkingTopic(), false, 0, deadLetterRetention})
	i := slices.IndexFunc(topics, func(t chainTopic) bool { return t.name == topic })
	if i < 0 {
		return
	}
	found, err := l.describe(ctx, []string{l.chain.main})
	if err == nil {
		err = l.create(ctx, topics[i], max(found[l.chain.main].partitions, 1))
	}
	if err != nil {
		l.log.Warn("create a missing topic", slog.String("topic", topic), slog.Any("err", err))
	}
}
