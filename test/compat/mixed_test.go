package compat

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	botedelivery "github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
)

// goMailer is the listener of the Spring service, written with our library: the
// same topics, the same groups, and the same rules of what fails.
type goMailer struct {
	mu   sync.Mutex
	seen []delivery
}

func (g *goMailer) send(_ context.Context, m *botedelivery.Message[string]) error {
	d := delivery{verdict: "handled", group: "mailer", topic: m.Topic, value: m.Value, at: time.Now()}
	fails := strings.HasPrefix(m.Value, "fail-") || strings.HasPrefix(m.Value, "once-") && m.Topic == "mail"
	if fails {
		d.verdict = "failed"
	}
	g.mu.Lock()
	g.seen = append(g.seen, d)
	g.mu.Unlock()
	if fails {
		return errors.New("the mail server is down")
	}
	return nil
}

func (g *goMailer) deliveries(keep func(delivery) bool) []delivery {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.seen), func(d delivery) bool { return !keep(d) })
}

// startGoMailer runs the listener until the test ends.
func startGoMailer(t *testing.T, b broker) *goMailer {
	t.Helper()
	g := &goMailer{}
	c, err := botedelivery.Dial([]string{b.addr}, botedelivery.WithKgo(kgo.HeartbeatInterval(300*time.Millisecond)))
	require.NoError(t, err)
	l, err := botedelivery.Listen(c, botedelivery.NewTopic("mail", codec.Text()), "mailer", g.send,
		botedelivery.RetryTopics(botedelivery.Attempts(5), botedelivery.Exponential(time.Second, 2, time.Minute)),
		botedelivery.DeadLetter(botedelivery.Suffix(".dlt")), botedelivery.SpringLayout())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- botedelivery.Run(ctx, l, c) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return g
}

// TestSpringAndGo puts a Spring service and a Go listener into the same groups.
func TestSpringAndGo(t *testing.T) {
	needCompat(t)
	install(t, "spring")
	onEach(t, []string{"auto.create.topics.enable=false"}, func(t *testing.T, b broker) {
		cl := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		createTopic(t, cl, "mail", 4)
		spring := startSpring(t, b)
		awaitMembers(t, cl, 1)
		ours := startGoMailer(t, b)
		awaitMembers(t, cl, 2)

		sent := sendMails(t, cl, "ok-", 40)
		handled := awaitBoth(t, spring, ours, "ok-", 40)
		require.Equal(t, sent, valuesOf(handled), "each mail once")
		require.NotEmpty(t, spring.deliveries(handledWith("ok-")), "Spring took none")
		require.NotEmpty(t, ours.deliveries(handledWith("ok-")), "Go took none")

		sent = sendMails(t, cl, "once-", 40)
		handled = awaitBoth(t, spring, ours, "once-", 40)
		require.Equal(t, sent, valuesOf(handled), "each mail once")
		for _, d := range handled {
			require.Equal(t, "mail-retry-1000", d.topic)
		}
		t.Logf("%s: of 40 that failed once, Spring finished %d and Go %d", b.name,
			len(spring.deliveries(handledWith("once-"))), len(ours.deliveries(handledWith("once-"))))

		// once Spring is gone, Go finishes what kept failing in Spring, wherever it waits
		sent = sendMails(t, cl, "spring-fails-", 40)
		spring.await(t, 1, func(d delivery) bool { return d.verdict == "failed" && strings.HasPrefix(d.value, "spring-fails-") })
		spring.stop()
		handled = awaitBoth(t, spring, ours, "spring-fails-", 40)
		require.Equal(t, sent, valuesOf(handled), "each mail once")
		shared := 0
		for _, d := range ours.deliveries(handledWith("spring-fails-")) {
			if d.topic != "mail" {
				shared++
			}
		}
		require.Positive(t, shared, "none failed in Spring and was finished in Go")
		t.Logf("%s: %d failed in Spring and were finished in Go", b.name, shared)
	})
}

func handledWith(prefix string) func(delivery) bool {
	return func(d delivery) bool {
		return d.verdict == "handled" && d.group == "mailer" && strings.HasPrefix(d.value, prefix)
	}
}

// awaitBoth waits until the two have handled n records together.
func awaitBoth(t *testing.T, spring *process, ours *goMailer, prefix string, n int) []delivery {
	t.Helper()
	keep := handledWith(prefix)
	both := func() []delivery { return slices.Concat(spring.deliveries(keep), ours.deliveries(keep)) }
	eventually(t, time.Minute, func() (bool, error) { return len(both()) >= n, nil })
	return both()
}

// awaitMembers waits until all groups of the chain have n members, each with
// partitions.
func awaitMembers(t *testing.T, cl *kgo.Client, n int) {
	t.Helper()
	groups := []string{"mailer", "mailer-retry-1000", "mailer-retry-2000", "mailer-retry-4000", "mailer-retry-8000"}
	eventually(t, time.Minute, func() (bool, error) {
		described, err := kadm.NewClient(cl).DescribeGroups(t.Context(), groups...)
		if err != nil {
			return false, nil //nolint:nilerr // a broker without the offsets topic says that it has no coordinator yet.
		}
		for _, g := range groups {
			if d := described[g]; d.State != "Stable" || len(d.Members) != n {
				return false, nil
			}
		}
		return true, nil
	})
}
