package dlt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/delivery"
)

// route is the topic that a letter goes to: its destination, or the topic where it
// is parked.
func (r *redrive) route(ctx context.Context, l Letter, action Action) (topic string, only bool, err error) {
	if action != ActionParked {
		return r.destination(ctx, l)
	}
	main := r.mainTopic(l)
	if main == "" {
		return "", false, ErrNoTarget
	}
	return main + parkedSuffix, false, nil
}

// destination is where a letter goes; only asks for the header that makes
// other groups skip it.
func (r *redrive) destination(ctx context.Context, l Letter) (topic string, only bool, err error) {
	switch r.target.kind {
	case toTopic:
		return r.target.topic, false, r.mustExist(ctx, r.target.topic)
	case toOrigin:
		main := r.mainTopic(l)
		return main, false, r.mustExist(ctx, main)
	case toGroup:
	}
	for _, tier := range []string{r.tier, firstTier(l)} {
		if tier == "" {
			continue
		}
		if err := r.mustExist(ctx, tier); err != nil {
			return "", false, err
		}
		return tier, false, nil
	}
	main := r.mainTopic(l)
	if tier, err := r.smallestTier(ctx, main); tier != "" || err != nil {
		return tier, false, err
	}
	return main, true, r.mustExist(ctx, main)
}

// firstTier is the retry topic that the letter names, "" if it names none.
func firstTier(l Letter) string {
	return delivery.Headers(l.Record.Headers).Text(delivery.HeaderFirstTier)
}

// tiers are the retry topics that the letter may pass.
func (r *redrive) tiers(ctx context.Context, l Letter) ([]string, error) {
	topics, err := r.topics(ctx)
	if err != nil {
		return nil, err
	}
	stem := r.mainTopic(l) + "-retry"
	if tier := cmp.Or(r.tier, firstTier(l)); tier != "" {
		stem = strings.TrimRight(tier, "-0123456789")
	}
	var out []string
	for _, t := range topics {
		if tail, ok := strings.CutPrefix(t, stem); ok && strings.Trim(tail, "-0123456789") == "" {
			out = append(out, t)
		}
	}
	return out, nil
}

// topics are the names of all topics, as they were at the first call.
func (r *redrive) topics(ctx context.Context) ([]string, error) {
	if r.names == nil {
		topics, err := r.d.c.Partitions(ctx)
		if err != nil {
			return nil, fmt.Errorf("list topics: %w", err)
		}
		r.names = slices.Sorted(maps.Keys(topics))
	}
	return r.names, nil
}

// mainTopic is where the letter was first read. Without origin headers that is
// the dead-letter topic's name without its suffix.
func (r *redrive) mainTopic(l Letter) string {
	if l.Origin.Topic != r.d.topic {
		return l.Origin.Topic
	}
	for _, s := range Suffixes() {
		if main, ok := strings.CutSuffix(r.d.topic, s); ok && main != "" {
			return main
		}
	}
	return ""
}

func (r *redrive) mustExist(ctx context.Context, topic string) error {
	if topic == "" {
		return ErrNoTarget
	}
	n, err := r.count(ctx, topic)
	if err == nil && n == 0 {
		err = &delivery.TopicError{Topic: topic, Err: delivery.ErrTopicMissing}
	}
	return err
}

// count is the number of partitions of a topic, 0 if it does not exist.
func (r *redrive) count(ctx context.Context, topic string) (int, error) {
	if n, ok := r.partitions[topic]; ok {
		return n, nil
	}
	topics, err := r.d.c.Partitions(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("look for topic %s: %w", topic, err)
	}
	r.partitions[topic] = topics[topic]
	return topics[topic], nil
}

// smallestTier is the retry topic of main with the smallest delay, by its
// name; "" if there is none.
func (r *redrive) smallestTier(ctx context.Context, main string) (string, error) {
	topics, err := r.topics(ctx)
	if err != nil {
		return "", err
	}
	return smallestTier(main, topics), nil
}

func smallestTier(main string, topics []string) string {
	best, bestDelay := "", int64(math.MaxInt64)
	for _, t := range topics {
		tail, ok := strings.CutPrefix(t, main+"-retry")
		if !ok {
			continue
		}
		delay := int64(0)
		if tail != "" {
			first, _, _ := strings.Cut(strings.TrimPrefix(tail, "-"), "-")
			n, err := strconv.ParseInt(first, 10, 64)
			if err != nil || !strings.HasPrefix(tail, "-") {
				continue
			}
			delay = n
		}
		if delay < bestDelay {
			best, bestDelay = t, delay
		}
	}
	return best
}

// ensureParked creates the topic for records that were redriven too often. It has
// as many partitions as the dead-letter topic, and no limit of time or size.
func (r *redrive) ensureParked(ctx context.Context, topic string) error {
	if n, err := r.count(ctx, topic); err != nil || n > 0 {
		return err
	}
	n, err := r.count(ctx, r.d.topic)
	if err != nil {
		return err
	}
	configs := map[string]*string{"cleanup.policy": new("delete"), "retention.ms": new("-1"), "retention.bytes": new("-1")}
	_, err = r.d.adm.CreateTopic(ctx, int32(max(n, 1)), -1, configs, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	r.partitions[topic] = max(n, 1)
	return nil
}
