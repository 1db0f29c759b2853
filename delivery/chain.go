package delivery

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A chain is the list main topic -> retry tiers -> dead-letter topics of one
// listener. It knows the names and a record's path through them, and never asks
// a broker.
type chain struct {
	main     string
	attempts int // total deliveries
	tiers    []tier
	drained  []string // retry topics of earlier configurations
	dlt      string   // "" if there is none
	routes   []route
	ahead    time.Duration // see maxAhead
}

// parkingTopic is the topic of records that went round in a circle.
func (c *chain) parkingTopic() string { return c.main + parkedSuffix }

// maxAhead is how far ahead a due time may lie on a retry topic. A later one
// counts as garbage. It is twice the longest delay with its jitter, so that
// clocks may differ, and at least minAhead. The delay of a topic of an earlier
// configuration is read from its name.
func (c *chain) maxAhead() time.Duration { return c.ahead }

func (c *chain) longestAhead(jitter float64) time.Duration {
	longest := time.Duration(0)
	for _, t := range c.tiers {
		longest = max(longest, t.delay+time.Duration(float64(t.delay)*jitter))
	}
	for _, topic := range c.drained {
		longest = max(longest, namedDelay(topic))
	}
	return max(minAhead, 2*longest)
}

// namedDelay is the delay that a retry topic is named after, 0 if it is not.
func namedDelay(topic string) time.Duration {
	ms, err := strconv.ParseInt(topic[strings.LastIndexByte(topic, '-')+1:], 10, 64)
	if err != nil || ms < 0 || ms > longestDelay.Milliseconds() {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// tier is one retry topic. A reused tier takes all remaining attempts.
type tier struct {
	topic  string
	suffix string
	delay  time.Duration
	reused bool
}

// route is a dead-letter topic for some errors.
type route struct {
	topic string
	match func(error) bool
}

// Positions of a topic in its chain; 0 and up are indexes of tiers.
const (
	posMain    = -1
	posDrained = -2
	posDLT     = -3
)

// newChain names the topics of a chain. A nil retry plan means no tiers.
func newChain(main string, retry *retryPlan, dl *deadLetterPlan) (*chain, error) {
	c := &chain{main: main, attempts: 1, ahead: minAhead}
	if retry != nil {
		c.attempts = retry.attempts
		c.tiers = retryTiers(main, retry)
		for _, s := range retry.drain {
			c.drained = append(c.drained, main+s)
		}
		c.ahead = c.longestAhead(retry.jitter)
	}
	if dl != nil {
		c.dlt = main + dl.suffix
		if dl.topic != "" {
			c.dlt = dl.topic
		}
		for _, r := range dl.routes {
			c.routes = append(c.routes, route{topic: main + r.suffix + dl.suffix, match: r.match})
		}
	}
	return c, c.check()
}

// retryTiers are the retry topics Spring's @RetryableTopic makes of the plan.
func retryTiers(main string, p *retryPlan) []tier {
	delays := p.delays()
	if len(delays) == 0 {
		return nil
	}
	distinct := slices.Compact(slices.Clone(delays)) // delays never shrink, so equal ones are neighbours.
	if !p.multiple {
		return singleTopicTiers(main, p, distinct, len(delays))
	}
	tiers := make([]tier, len(delays))
	for i, d := range delays {
		tiers[i] = newTier(main, p.suffix+multiSuffix(p, delays, distinct, i), d, false)
	}
	return tiers
}

func singleTopicTiers(main string, p *retryPlan, distinct []time.Duration, retries int) []tier {
	if len(distinct) == 1 {
		return []tier{newTier(main, p.suffix, distinct[0], retries > 1)}
	}
	tiers := make([]tier, len(distinct))
	for i, d := range distinct {
		name := millis(d)
		if p.byIndex {
			name = strconv.Itoa(i)
		}
		last := i == len(distinct)-1
		tiers[i] = newTier(main, p.suffix+"-"+name, d, last && retries > len(distinct))
	}
	return tiers
}

// multiSuffix is the part after the retry suffix when each retry has a topic of
// its own: the index, the delay, or the delay and a counter of equal delays.
func multiSuffix(p *retryPlan, delays, distinct []time.Duration, i int) string {
	fixed := len(delays) > 1 && len(distinct) == 1
	if p.byIndex || fixed {
		return "-" + strconv.Itoa(i)
	}
	first := slices.Index(delays, delays[i])
	if alone := i == first && (i == len(delays)-1 || delays[i+1] != delays[i]); alone {
		return "-" + millis(delays[i])
	}
	return "-" + millis(delays[i]) + "-" + strconv.Itoa(i-first)
}

func newTier(main, suffix string, d time.Duration, reused bool) tier {
	return tier{topic: main + suffix, suffix: suffix, delay: d, reused: reused}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// next is the destination of a record that failed at delivery number attempt
// on the topic at pos: a tier, or false for the dead-letter topic.
//
// As in Spring the topic decides, not the attempts header. The header decides
// only when it has reached the maximum, and on a topic of an earlier
// configuration. A reused tier repeats itself until then. A wish > 0 asks for the
// first tier with at least that delay, or else the last one.
func (c *chain) next(pos, attempt int, wish time.Duration) (tier, bool) {
	if attempt >= c.attempts || len(c.tiers) == 0 || pos == posDLT {
		return tier{}, false
	}
	if wish > 0 {
		i := slices.IndexFunc(c.tiers, func(t tier) bool { return t.delay >= wish })
		if i < 0 {
			i = len(c.tiers) - 1
		}
		return c.tiers[i], true
	}
	switch {
	case pos == posMain:
		return c.tiers[0], true
	case pos == posDrained:
		return c.tiers[min(attempt-1, len(c.tiers)-1)], true
	case c.tiers[pos].reused:
		return c.tiers[pos], true
	case pos+1 < len(c.tiers):
		return c.tiers[pos+1], true
	default:
		return tier{}, false
	}
}

// deadLetterFor is the dead-letter topic for err, the first matching route
// before the general one; "" if the chain has none.
func (c *chain) deadLetterFor(err error) string {
	for _, r := range c.routes {
		if r.match(err) {
			return r.topic
		}
	}
	return c.dlt
}

// retryTopics are all retry topics to consume, tiers first.
func (c *chain) retryTopics() []string {
	out := make([]string, 0, len(c.tiers)+len(c.drained))
	for _, t := range c.tiers {
		out = append(out, t.topic)
	}
	return append(out, c.drained...)
}

// deadLetterTopics are the general dead-letter topic and those of the routes.
func (c *chain) deadLetterTopics() []string {
	if c.dlt == "" {
		return nil
	}
	out := []string{c.dlt}
	for _, r := range c.routes {
		out = append(out, r.topic)
	}
	return out
}

// position finds a topic of the chain. It is posDLT for every other topic.
func (c *chain) position(topic string) int {
	if topic == c.main {
		return posMain
	}
	if i := slices.IndexFunc(c.tiers, func(t tier) bool { return t.topic == topic }); i >= 0 {
		return i
	}
	if slices.Contains(c.drained, topic) {
		return posDrained
	}
	return posDLT
}

// check refuses names a broker would refuse, and one name used twice, which
// would also be a cycle.
func (c *chain) check() error {
	var errs []error
	seen := map[string]string{}
	add := func(as string, topics ...string) {
		for _, t := range topics {
			if !validTopic(t) {
				errs = append(errs, fmt.Errorf("%q is not a topic name", t))
			}
			if other, ok := seen[t]; ok {
				errs = append(errs, fmt.Errorf("topic %s would be %s and %s: one of them needs another suffix", t, other, as))
			}
			seen[t] = as
		}
	}
	add("the main topic", c.main)
	add("a retry topic", c.retryTopics()...)
	add("a dead-letter topic", c.deadLetterTopics()...)
	return errors.Join(errs...)
}

// validTopic is Kafka's rule, Topic.validate.
func validTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, b := range []byte(name) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '.', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}
