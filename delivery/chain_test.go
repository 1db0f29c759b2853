package delivery

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// suffixes are the suffixes of a chain's retry topics, with * after a reused one.
func suffixes(t *testing.T, opts ...RetryOption) []string {
	t.Helper()
	p := defaultTiers()
	for _, o := range opts {
		o.applyRetry(&p)
	}
	require.Empty(t, p.problems("retry"))
	c, err := newChain("m", &p, &deadLetterPlan{suffix: "-dlt"})
	require.NoError(t, err)
	var out []string
	for _, tr := range c.tiers {
		s := tr.suffix
		if tr.reused {
			s += "*"
		}
		out = append(out, s)
	}
	return out
}

func TestChainNames(t *testing.T) {
	second, double := time.Second, Exponential(time.Second, 2, time.Hour)
	capped := Exponential(second, 2, 2*second)
	for _, tc := range []struct {
		name string
		opts []RetryOption
		want string
	}{
		{"one attempt", []RetryOption{Attempts(1)}, ""},
		{"one attempt, multiple", []RetryOption{Attempts(1), MultipleTopics(), NameByIndex()}, ""},
		{"two, fixed", []RetryOption{Attempts(2), Fixed(second)}, "-retry"},
		{"two, doubling", []RetryOption{Attempts(2), double}, "-retry"},
		{"two, by index", []RetryOption{Attempts(2), double, NameByIndex()}, "-retry"},
		{"nothing set", nil, "-retry*"},
		{"three fixed by index", []RetryOption{NameByIndex()}, "-retry*"},
		{"five doubling", []RetryOption{Attempts(5), double}, "-retry-1000 -retry-2000 -retry-4000 -retry-8000"},
		{"five capped", []RetryOption{Attempts(5), capped}, "-retry-1000 -retry-2000*"},
		{"five capped, multiple", []RetryOption{Attempts(5), capped, MultipleTopics()}, "-retry-1000 -retry-2000-0 -retry-2000-1 -retry-2000-2"},
		{"four fixed, multiple", []RetryOption{Attempts(4), MultipleTopics()}, "-retry-0 -retry-1 -retry-2"},
		{"four fixed, multiple, index", []RetryOption{Attempts(4), MultipleTopics(), NameByIndex()}, "-retry-0 -retry-1 -retry-2"},
		{"five doubling by index", []RetryOption{Attempts(5), double, NameByIndex()}, "-retry-0 -retry-1 -retry-2 -retry-3"},
		{"five capped by index", []RetryOption{Attempts(5), capped, NameByIndex()}, "-retry-0 -retry-1*"},
		{"five capped by index, multiple", []RetryOption{Attempts(5), capped, NameByIndex(), MultipleTopics()}, "-retry-0 -retry-1 -retry-2 -retry-3"},
		{"two doubling, multiple", []RetryOption{Attempts(2), double, MultipleTopics()}, "-retry-1000"},
		{"two fixed, multiple", []RetryOption{Attempts(2), MultipleTopics()}, "-retry-1000"},
		{"two fixed, multiple, index", []RetryOption{Attempts(2), MultipleTopics(), NameByIndex()}, "-retry-0"},
		{"four times 1.5", []RetryOption{Attempts(4), Exponential(second, 1.5, time.Hour)}, "-retry-1000 -retry-1500 -retry-2250"},
		{"six times 10 capped at 30 s", []RetryOption{Attempts(6), Exponential(second, 10, 30*second)}, "-retry-1000 -retry-10000 -retry-30000*"},
		{"suffix", []RetryOption{Suffix(".again")}, ".again*"},
		{"jitter changes no name", []RetryOption{Attempts(3), double, Jitter(0.5)}, "-retry-1000 -retry-2000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, strings.Join(suffixes(t, tc.opts...), " "))
		})
	}
}

func TestChainNext(t *testing.T) {
	build := func(opts ...RetryOption) *chain {
		p := defaultTiers()
		for _, o := range opts {
			o.applyRetry(&p)
		}
		c, err := newChain("m", &p, &deadLetterPlan{suffix: "-dlt"})
		require.NoError(t, err)
		return c
	}
	doubling := build(Attempts(5), Exponential(time.Second, 2, time.Hour))
	reusing := build(Attempts(5), Exponential(time.Second, 2, 2*time.Second))
	for _, tc := range []struct {
		name    string
		c       *chain
		from    string
		attempt int
		wish    time.Duration
		want    string // "" = dead-letter topic
	}{
		{"first failure", doubling, "m", 1, 0, "m-retry-1000"},
		{"the topic decides, not the header", doubling, "m-retry-2000", 1, 0, "m-retry-4000"},
		{"last tier", doubling, "m-retry-8000", 5, 0, ""},
		{"last tier with a header that fell behind", doubling, "m-retry-8000", 1, 0, ""},
		{"header at the maximum, from any topic", doubling, "m-retry-1000", 5, 0, ""},
		{"header at the maximum, from the main topic", doubling, "m", 5, 0, ""},
		{"header far beyond", doubling, "m-retry-1000", 200, 0, ""},
		{"reused tier", reusing, "m-retry-2000", 3, 0, "m-retry-2000"},
		{"reused tier, used up", reusing, "m-retry-2000", 5, 0, ""},
		{"a wish finds its tier", doubling, "m", 1, 3 * time.Second, "m-retry-4000"},
		{"a wish may go back", doubling, "m-retry-4000", 4, time.Second, "m-retry-1000"},
		{"a wish beyond all tiers", doubling, "m", 1, time.Hour, "m-retry-8000"},
		{"a wish with no attempts left", doubling, "m", 5, time.Second, ""},
		{"from the dead-letter topic", doubling, "m-dlt", 1, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := tc.c.next(tc.c.position(tc.from), tc.attempt, tc.wish)
			require.Equal(t, tc.want != "", ok)
			require.Equal(t, tc.want, got.topic)
		})
	}
}

// A record of a tier that is no longer configured goes on at the tier that its
// attempts header says, and still comes to an end.
func TestChainDrainsFormerTiers(t *testing.T) {
	p := defaultTiers()
	for _, o := range []RetryOption{Attempts(3), Exponential(time.Second, 2, time.Minute), AlsoDrain("-retry-9000")} {
		o.applyRetry(&p)
	}
	c, err := newChain("m", &p, &deadLetterPlan{suffix: "-dlt"})
	require.NoError(t, err)
	require.Equal(t, []string{"m-retry-1000", "m-retry-2000", "m-retry-9000"}, c.retryTopics())
	got, ok := c.next(c.position("m-retry-9000"), 2, 0)
	require.True(t, ok)
	require.Equal(t, "m-retry-2000", got.topic)
	_, ok = c.next(c.position("m-retry-9000"), 3, 0)
	require.False(t, ok)
}

func TestChainRoutesByError(t *testing.T) {
	bad := errors.New("bad schema")
	dl := &deadLetterPlan{suffix: "-dlt", routes: []deadLetterRoute{
		{"-schema", func(err error) bool { return errors.Is(err, bad) }},
		{"-any", func(error) bool { return true }},
	}}
	c, err := newChain("m", nil, dl)
	require.NoError(t, err)
	require.Equal(t, "m-schema-dlt", c.deadLetterFor(Permanent(bad)))
	require.Equal(t, "m-any-dlt", c.deadLetterFor(errors.New("other")))
	require.Equal(t, []string{"m-dlt", "m-schema-dlt", "m-any-dlt"}, c.deadLetterTopics())
}

func TestChainRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		main  string
		retry []RetryOption
		dl    deadLetterPlan
	}{
		"main topic as its own dead-letter topic": {main: "m", dl: deadLetterPlan{topic: "m"}},
		"retry topic as dead-letter topic":        {main: "m", retry: []RetryOption{Suffix("-x")}, dl: deadLetterPlan{suffix: "-x"}},
		"empty dead-letter suffix":                {main: "m"},
		"illegal suffix":                          {main: "m", dl: deadLetterPlan{suffix: "/dlt"}},
		"too long":                                {main: strings.Repeat("m", 246), dl: deadLetterPlan{suffix: "-dlt"}},
		"empty name":                              {dl: deadLetterPlan{suffix: "-dlt"}},
	} {
		t.Run(name, func(t *testing.T) {
			var p *retryPlan
			if tc.retry != nil {
				plan := defaultTiers()
				for _, o := range tc.retry {
					o.applyRetry(&plan)
				}
				p = &plan
			}
			_, err := newChain(tc.main, p, &tc.dl)
			require.Error(t, err)
		})
	}
}

func TestBackOff(t *testing.T) {
	p := defaultBlocking()
	var total time.Duration
	for _, d := range p.delays() {
		total += d
	}
	require.Len(t, p.delays(), 9)
	require.Equal(t, 100*time.Millisecond, p.backOff(1))
	require.Equal(t, 5*time.Second, p.backOff(9))
	require.InDelta(t, 21.3, total.Seconds(), 0.1)
	require.True(t, slices.IsSorted(p.delays()))
	require.Equal(t, time.Second, p.jittered(time.Second, 0))
	require.Equal(t, 1200*time.Millisecond, p.jittered(time.Second, 1))

	endless := deadLetterBackOff()
	require.Equal(t, 5*time.Minute, endless.backOff(1000))
	publish := publishBackOff()
	require.Equal(t, 250*time.Millisecond, publish.backOff(1))
	require.Equal(t, 30*time.Second, publish.backOff(8))
}

func TestOptionsRefuse(t *testing.T) {
	for name, o := range map[string]Option{
		"no attempts":             RetryTopics(Attempts(0)),
		"too many attempts":       RetryTopics(Attempts(40000)),
		"shrinking delays":        RetryTopics(Exponential(time.Second, 0.5, time.Minute)),
		"no maximum delay":        RetryTopics(Exponential(time.Second, 2, 0)),
		"maximum below first":     RetryTopics(Exponential(time.Second, 2, time.Millisecond)),
		"jitter":                  BlockingRetry(Jitter(2)),
		"concurrency":             Concurrency(0),
		"queue":                   QueueLimit(0, 1),
		"commit interval":         CommitEvery(0, 1),
		"negative duration":       DrainTimeout(-1),
		"revoke wait too long":    RevokeWait(time.Hour),
		"custom without function": OnExhaustedFunc(nil),
		"empty retry suffix":      RetryTopics(Suffix("")),
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, newConfig([]Option{o}).problems)
		})
	}
	require.Empty(t, newConfig(nil).problems)
}
