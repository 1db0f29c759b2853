package delivery

import (
	"math"
	"time"
)

// RetryOption sets how often and when a failed record is delivered again. The
// same options serve RetryTopics and BlockingRetry.
type RetryOption interface{ applyRetry(*retryPlan) }

type retryOptionFunc func(*retryPlan)

func (f retryOptionFunc) applyRetry(p *retryPlan) { f(p) }

// retryPlan is a number of attempts and the delays between them. attempts is
// the total, first delivery included.
type retryPlan struct {
	attempts   int
	delay      time.Duration
	multiplier float64
	maxDelay   time.Duration // 0 = none
	jitter     float64
	timeout    time.Duration // 0 = none

	// Only for retry topics.
	suffix   string
	byIndex  bool
	multiple bool
	drain    []string
}

// longestDelay bounds the delays of a plan. What is longer is a mistake.
const longestDelay = 365 * 24 * time.Hour

// defaultBlocking is 10 attempts in about 21 s.
func defaultBlocking() retryPlan {
	return retryPlan{attempts: 10, delay: 100 * time.Millisecond, multiplier: 2, maxDelay: 5 * time.Second, jitter: 0.2}
}

// defaultTiers is what a bare @RetryableTopic does.
func defaultTiers() retryPlan {
	return retryPlan{attempts: 3, delay: time.Second, multiplier: 1, suffix: "-retry"}
}

// deadLetterBackOff paces a failing dead-letter handler, which never gives up.
func deadLetterBackOff() retryPlan {
	return retryPlan{attempts: math.MaxInt, delay: time.Second, multiplier: 2, maxDelay: 5 * time.Minute}
}

// requeueBackOff paces the way of a dead letter back to the end of its topic.
func requeueBackOff() retryPlan {
	return retryPlan{attempts: math.MaxInt, delay: time.Second, multiplier: 2, maxDelay: time.Minute}
}

// publishBackOff paces the publishing of a record that was rejected.
func publishBackOff() retryPlan {
	return retryPlan{attempts: math.MaxInt, delay: 250 * time.Millisecond, multiplier: 2, maxDelay: 30 * time.Second}
}

// Attempts sets the total number of deliveries, the first one included.
func Attempts(n int) RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.attempts = n })
}

// Fixed waits d before each delivery after the first.
func Fixed(d time.Duration) RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.delay, p.multiplier, p.maxDelay = d, 1, 0 })
}

// Exponential waits d before the second delivery and multiplier times as long
// before each further one, but never longer than maxDelay.
func Exponential(d time.Duration, multiplier float64, maxDelay time.Duration) RetryOption {
	return retryOptionFunc(func(p *retryPlan) {
		p.delay, p.multiplier, p.maxDelay = d, multiplier, maxDelay
		if maxDelay == 0 {
			p.maxDelay = -1 // refused by validate: a cap is required.
		}
	})
}

// Jitter lengthens each delay by a random share of up to j (0.2 = 20 %).
// Delays never get shorter, and topic names use the delay without jitter.
func Jitter(j float64) RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.jitter = j })
}

// RetryTimeout ends retries at the first failure later than d after the
// timestamp of the original record. That timestamp counts, not the first read: a
// record that has waited longer than d in a backlog is not retried at all. With
// RetryTopics the record is given up for ReasonExpired, with BlockingRetry for the
// reason of its last failure. The default is no limit.
func RetryTimeout(d time.Duration) RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.timeout = d })
}

// NameByIndex names retry topics by their number instead of their delay.
func NameByIndex() RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.byIndex = true })
}

// MultipleTopics gives each retry a topic of its own, even if delays are equal.
// The default is one topic for each distinct delay.
func MultipleTopics() RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.multiple = true })
}

// AlsoDrain keeps consuming retry topics that an earlier configuration wrote to.
// Give the full suffix after the name of the main topic, such as "-retry-5000".
func AlsoDrain(suffixes ...string) RetryOption {
	return retryOptionFunc(func(p *retryPlan) { p.drain = append(p.drain, suffixes...) })
}

// backOff is the delay without jitter before delivery n+1, for n >= 1.
func (p *retryPlan) backOff(n int) time.Duration {
	d := float64(p.delay)
	for i := 1; i < n; i++ {
		d *= p.multiplier
		if p.maxDelay > 0 && d >= float64(p.maxDelay) {
			return p.maxDelay
		}
		if d >= float64(math.MaxInt64/4) || p.multiplier == 1 {
			break
		}
	}
	if p.maxDelay > 0 {
		return min(time.Duration(d), p.maxDelay)
	}
	return time.Duration(d)
}

// delays are the delays of all retries.
func (p *retryPlan) delays() []time.Duration {
	out := make([]time.Duration, 0, max(p.attempts-1, 0))
	for n := 1; n < p.attempts; n++ {
		out = append(out, p.backOff(n))
	}
	return out
}

// jittered lengthens d by up to the plan's share; random is in [0, 1).
func (p *retryPlan) jittered(d time.Duration, random float64) time.Duration {
	return d + time.Duration(float64(d)*p.jitter*random)
}

func (p *retryPlan) problems(what string) []string {
	var bad []string
	check := func(ok bool, problem string) {
		if !ok {
			bad = append(bad, what+": "+problem)
		}
	}
	check(p.attempts >= 1, "attempts must be at least 1")
	check(p.attempts <= math.MaxInt16, "attempts must be at most 32767")
	check(p.delay >= 0, "delay must not be negative")
	check(p.multiplier >= 1, "multiplier must be at least 1")
	check(p.maxDelay >= 0, "an exponential back-off needs a maximum delay")
	check(p.maxDelay <= 0 || p.maxDelay >= p.delay, "maximum delay is below the first delay")
	check(p.delay <= longestDelay && p.maxDelay <= longestDelay, "delays must be at most 365 days")
	check(p.jitter >= 0 && p.jitter <= 1, "jitter must be between 0 and 1")
	check(p.timeout >= 0, "timeout must not be negative")
	return bad
}
