package dlt_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
	"github.com/botehq/bote/delivery/dlt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBoom = errors.New("boom")
	orders  = delivery.NewTopic("m", codec.Text())
	chain   = delivery.RetryTopics(delivery.Attempts(4), delivery.Exponential(time.Second, 2, time.Minute))
)

// outerError is the class of a failure, and causeError its cause.
type (
	outerError struct{ error }
	causeError struct{}
)

func (e *outerError) Unwrap() error { return e.error }

func (*causeError) Error() string { return "boom" }

// seen counts deliveries by topic.
type seen struct {
	mu sync.Mutex
	n  map[string]int
}

func (s *seen) handler(fail bool) func(context.Context, *delivery.Message[string]) error {
	return func(_ context.Context, m *delivery.Message[string]) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.n[m.Topic]++
		if fail {
			if m.Value == "5" {
				return &outerError{&causeError{}}
			}
			return errBoom
		}
		return nil
	}
}

func (s *seen) take() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.n
	s.n = map[string]int{}
	return out
}

func listen(t *testing.T, h *deliverytest.Harness, group string, fail bool, opts ...delivery.Option) *seen {
	t.Helper()
	s := &seen{n: map[string]int{}}
	l, err := delivery.Listen(h.Client(), orders, group, s.handler(fail), opts...)
	require.NoError(t, err)
	h.Start(l)
	return s
}

func task(t *testing.T, h *deliverytest.Harness, f dlt.Filter, to dlt.Target, opts ...dlt.Option) dlt.Task {
	t.Helper()
	got, err := dlt.Open(h.Client(), "m-dlt").Redrive(t.Context(), f, to, append(opts, dlt.Rate(1e6))...)
	require.NoError(t, err)
	h.Settle()
	return got
}

// A redriven record passes the whole chain again: to the group, one delivery
// for each tier and none for the other group; to the origin, all attempts, for
// both groups.
func TestRedrivenRecordPassesTheChain(t *testing.T) {
	h := deliverytest.New(t)
	failing := listen(t, h, "a", true, chain)
	other := listen(t, h, "b", false)
	h.Publish(orders, "k", "v")
	h.Advance(time.Minute)
	h.ExpectDeadLetter("m-dlt", 1)
	require.Equal(t, map[string]int{"m": 1, "m-retry-1000": 1, "m-retry-2000": 1, "m-retry-4000": 1}, failing.take())
	require.Equal(t, map[string]int{"m": 1}, other.take())

	got := task(t, h, dlt.Filter{Class: "exhausted"}, dlt.ToGroup("a"))
	require.Equal(t, map[string]int{"m-retry-1000": 1}, got.Targets)
	require.Equal(t, 1, got.Sent)
	h.Advance(time.Minute)
	require.Equal(t, map[string]int{"m-retry-1000": 1, "m-retry-2000": 1, "m-retry-4000": 1}, failing.take())
	require.Empty(t, other.take())
	letters := h.ExpectDeadLetter("m-dlt", 2)
	require.Equal(t, delivery.Origin{Topic: "m", Timestamp: letters[0].Origin.Timestamp, TimestampType: "CreateTime", Group: "a"}, letters[1].Origin)
	require.Equal(t, got.ID, delivery.Headers(letters[1].Record.Headers).Text(delivery.HeaderRedriveID))

	task(t, h, dlt.Filter{}, dlt.ToOrigin())
	h.Advance(time.Minute)
	require.Equal(t, map[string]int{"m": 1, "m-retry-1000": 1, "m-retry-2000": 1, "m-retry-4000": 1}, failing.take())
	require.Equal(t, map[string]int{"m": 1}, other.take())
	require.Equal(t, 2, delivery.RedriveCount(h.ExpectDeadLetter("m-dlt", 3)[2].Record.Headers))
}

// Without tiers the record goes to the main topic. Only the named group handles it.
func TestRedriveToGroupWithoutTiers(t *testing.T) {
	h := deliverytest.New(t)
	failing := listen(t, h, "a", true, delivery.BlockingRetry(delivery.Attempts(1)))
	other := listen(t, h, "b", false)
	h.Publish(orders, "k", "v")
	h.ExpectDeadLetter("m-dlt", 1)
	failing.take()
	other.take()
	require.Equal(t, map[string]int{"m": 1}, task(t, h, dlt.Filter{}, dlt.ToGroup("a")).Targets)
	require.Equal(t, map[string]int{"m": 1}, failing.take())
	require.Empty(t, other.take())
	h.ExpectDeadLetter("m-dlt", 2)
}

// Letters that were redriven are not redriven again, a dry run does nothing,
// discarded letters are closed, and a record redriven too often is parked.
func TestRedriveKeepsState(t *testing.T) {
	h := deliverytest.New(t)
	failing := listen(t, h, "a", true, delivery.BlockingRetry(delivery.Attempts(1)))
	for i := range 3 {
		h.Publish(orders, fmt.Sprint(i), fmt.Sprint(i))
	}
	d := dlt.Open(h.Client(), "m-dlt")
	require.Equal(t, 3, task(t, h, dlt.Filter{}, dlt.ToOrigin(), dlt.DryRun()).Selected)
	require.Equal(t, map[string]int{"m": 3}, failing.take())

	n, err := d.Discard(t.Context(), dlt.Filter{Key: []byte("1")}, "me", "test record")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	l, err := d.Get(t.Context(), dlt.Place{Offset: 1})
	require.NoError(t, err)
	require.Equal(t, dlt.ActionDiscarded, l.State.Action)
	require.Equal(t, "test record", l.State.Reason)
	_, err = d.Get(t.Context(), dlt.Place{Offset: 99})
	require.ErrorIs(t, err, dlt.ErrNotFound)

	sink := dlt.ToTopic("sink")
	h.CreateTopic("sink", 1)
	require.Equal(t, 2, task(t, h, dlt.Filter{}, sink).Sent)
	require.Equal(t, 0, task(t, h, dlt.Filter{}, sink).Selected)
	require.Equal(t, 2, task(t, h, dlt.Filter{Closed: true, Limit: 2}, sink).Sent)
	h.ExpectRecords("sink", 4)

	c, err := d.Count(t.Context(), dlt.Filter{})
	require.NoError(t, err)
	require.Equal(t, 3, c.Total)
	require.Equal(t, 0, c.Open)
	require.Equal(t, 3, c.Redriven)
	require.Equal(t, map[string]int{"exhausted": 3}, c.ByReason)
	require.Equal(t, map[string]int{"m": 3}, c.ByOrigin)
	require.Equal(t, map[string]int{"errors.errorString": 3}, c.ByClass)
}

func TestRedriveParks(t *testing.T) {
	h := deliverytest.New(t)
	listen(t, h, "a", true, delivery.BlockingRetry(delivery.Attempts(1)))
	h.Publish(orders, "k", "v")
	for i := range 3 {
		require.Equal(t, 1, task(t, h, dlt.Filter{}, dlt.ToOrigin()).Sent, i)
	}
	got := task(t, h, dlt.Filter{}, dlt.ToOrigin())
	require.Equal(t, 1, got.Parked)
	require.Equal(t, 0, got.Sent)
	require.Equal(t, "v", string(h.ExpectRecords("m-parked", 1)[0].Value))
	for _, topic := range []string{"m-parked", "m-dlt-bote-state"} {
		require.Equal(t, "-1", *h.Cluster().TopicInfo(topic).Configs["retention.bytes"], topic)
	}
	h.ExpectDeadLetter("m-dlt", 4)
	c, err := dlt.Open(h.Client(), "m-dlt").Count(t.Context(), dlt.Filter{})
	require.NoError(t, err)
	require.Equal(t, 0, c.Open)
}

func TestListPagesAndFilters(t *testing.T) {
	h := deliverytest.New(t, deliverytest.Partitions(2))
	listen(t, h, "a", true, delivery.BlockingRetry(delivery.Attempts(1)))
	for i := range 6 {
		h.Publish(orders, fmt.Sprint(i), fmt.Sprint(i), delivery.Partition(int32(i%2)), delivery.Header("tenant", []byte{byte('a' + i%3)}))
	}
	d := dlt.Open(h.Client(), "m-dlt")
	var got []string
	var after *dlt.Place
	for {
		page, next, err := d.List(t.Context(), dlt.Filter{}, after, 2)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), 2)
		for _, l := range page {
			got = append(got, string(l.Value))
		}
		if after = next; next == nil {
			break
		}
	}
	require.Equal(t, []string{"0", "2", "4", "1", "3", "5"}, got)
	for name, tc := range map[string]struct {
		f    dlt.Filter
		want int
	}{
		"header value": {dlt.Filter{Header: "tenant", HeaderText: "a"}, 2},
		"header":       {dlt.Filter{Header: "tenant"}, 6},
		"no header":    {dlt.Filter{Header: "x"}, 0},
		"message":      {dlt.Filter{Message: "oo"}, 6},
		"class":        {dlt.Filter{Class: "errorString"}, 5},
		"cause":        {dlt.Filter{Class: "causeError"}, 1},
		"limit":        {dlt.Filter{Limit: 4}, 4},
		"any group":    {dlt.Filter{Group: dlt.AnyGroup}, 6},
		"other class":  {dlt.Filter{Class: "decode"}, 0},
		"group":        {dlt.Filter{Group: "a"}, 6},
		"origin":       {dlt.Filter{Origin: "x"}, 0},
		"offsets":      {dlt.Filter{FromOffset: 1, ToOffset: 2}, 2},
		"places":       {dlt.Filter{Places: []dlt.Place{{0, 1}, {1, 2}}}, 2},
		"until":        {dlt.Filter{Until: h.Clock().Now()}, 0},
		"since":        {dlt.Filter{Since: h.Clock().Now()}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			ls, _, err := d.List(t.Context(), tc.f, nil, 0)
			require.NoError(t, err)
			require.Len(t, ls, tc.want)
		})
	}
}

// A dead letter of a Spring service with a JSON producer: base64 is undone on
// the way back, and without bote's header the smallest tier is found by name.
func TestRedriveOfSpringLetter(t *testing.T) {
	h := deliverytest.New(t)
	for _, topic := range []string{"m", "m-retry-1000", "m-retry-500", "m-retry-x", "m-dlt"} {
		h.CreateTopic(topic, 1)
	}
	decode := []byte("org.springframework.kafka.support.serializer.DeserializationException")
	rec := &kgo.Record{Topic: "m-dlt", Value: []byte(`"e29vcHM="`), Headers: []kgo.RecordHeader{
		{Key: "kafka_original-topic", Value: []byte("m")},
		{Key: "kafka_original-partition", Value: []byte{0, 0, 0, 0}},
		{Key: "kafka_exception-fqcn", Value: decode},
		{Key: "retry_topic-attempts", Value: []byte{0, 0, 0, 2}},
		{Key: "__TypeId__", Value: []byte("[B")},
	}}
	require.NoError(t, h.Client().Kgo().ProduceSync(t.Context(), rec).FirstErr())
	none := task(t, h, dlt.Filter{}, dlt.ToGroup("g"), dlt.ForceGroup())
	require.Empty(t, none.Targets, "the letter names no group")
	require.Equal(t, 1, none.OtherGroups)
	require.Equal(t, map[string]int{"m-retry-500": 1}, task(t, h, dlt.Filter{Group: dlt.AnyGroup}, dlt.ToGroup("g"), dlt.ForceGroup()).Targets)
	got := h.ExpectRecords("m-retry-500", 1)[0]
	require.Equal(t, "{oops", string(got.Value))
	for _, name := range []string{"__TypeId__", "retry_topic-attempts", "kafka_exception-fqcn"} {
		_, ok := delivery.Headers(got.Headers).Get(name)
		require.False(t, ok, name)
	}
	require.Equal(t, "g", delivery.Headers(got.Headers).Text(delivery.HeaderOriginGroup))
	require.Equal(t, "m", delivery.ReadOrigin(got).Topic)
}

func TestRedriveRefuses(t *testing.T) {
	h := deliverytest.New(t)
	h.CreateTopic("m-dlt", 1)
	d := dlt.Open(h.Client(), "m-dlt")
	require.NoError(t, h.Client().Kgo().ProduceSync(t.Context(), &kgo.Record{Topic: "m-dlt"}).FirstErr())
	for name, to := range map[string]dlt.Target{
		"no group":  dlt.ToGroup(""),
		"no topic":  dlt.ToTopic(""),
		"itself":    dlt.ToTopic("m-dlt"),
		"missing":   dlt.ToTopic("nowhere"),
		"no origin": dlt.ToOrigin(),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.Redrive(t.Context(), dlt.Filter{}, to)
			require.Error(t, err)
			require.Equal(t, 0, got.Sent)
		})
	}
	_, err := d.Redrive(t.Context(), dlt.Filter{}, dlt.ToOrigin(), dlt.Rate(0))
	require.Error(t, err)
	_, err = dlt.ParsePlace("1:x")
	require.Error(t, err)
	p, err := dlt.ParsePlace("1:23")
	require.NoError(t, err)
	require.Equal(t, dlt.Place{Partition: 1, Offset: 23}, p)
	topics, err := dlt.Topics(t.Context(), h.Client())
	require.NoError(t, err)
	require.Equal(t, []string{"m-dlt"}, topics)
}

// A group whose name is misspelt is refused before anything is noted, and a
// dry run refuses it too.
func TestRedriveToMissingGroup(t *testing.T) {
	h := deliverytest.New(t)
	failing := listen(t, h, "a", true, delivery.BlockingRetry(delivery.Attempts(1)))
	h.Publish(orders, "k", "v")
	failing.take()
	d := dlt.Open(h.Client(), "m-dlt")
	for _, opts := range [][]dlt.Option{nil, {dlt.DryRun()}} {
		got, err := d.Redrive(t.Context(), dlt.Filter{Group: "a"}, dlt.ToGroup("aa"), opts...)
		require.ErrorIs(t, err, dlt.ErrNoGroup)
		require.ErrorContains(t, err, "aa")
		require.Zero(t, got.Selected)
	}
	c, err := d.Count(t.Context(), dlt.Filter{})
	require.NoError(t, err)
	require.Equal(t, 1, c.Open)
	require.Equal(t, 1, task(t, h, dlt.Filter{Group: "a"}, dlt.ToGroup("aa"), dlt.ForceGroup()).Sent)
	require.Empty(t, failing.take())
}

// On a dead-letter topic of two groups, a redrive to one group selects the letters of
// that group. A filter can widen that. A dry run says the same.
func TestRedriveTakesTheLettersOfItsGroup(t *testing.T) {
	h := deliverytest.New(t)
	a := listen(t, h, "a", true, delivery.BlockingRetry(delivery.Attempts(1)))
	b := listen(t, h, "b", true, delivery.BlockingRetry(delivery.Attempts(1)))
	for i := range 3 {
		h.Publish(orders, "k", fmt.Sprint(i))
	}
	h.ExpectDeadLetter("m-dlt", 6)
	a.take()
	b.take()
	for _, tc := range []struct {
		f           dlt.Filter
		sent, other int
	}{
		{dlt.Filter{Limit: 2, ToOffset: 6}, 2, 0},
		{dlt.Filter{ToOffset: 6}, 1, 3},
		{dlt.Filter{Group: "b", Limit: 1, ToOffset: 6}, 1, 0},
		{dlt.Filter{Group: dlt.AnyGroup, ToOffset: 6}, 2, 0},
	} {
		would := task(t, h, tc.f, dlt.ToGroup("a"), dlt.DryRun())
		did := task(t, h, tc.f, dlt.ToGroup("a"))
		require.Equal(t, tc.sent, did.Sent, "%+v", tc.f)
		require.GreaterOrEqual(t, did.OtherGroups, tc.other)
		would.ID, would.CameBack, did.ID, did.CameBack, did.Last = "", 0, "", 0, nil
		require.Equal(t, did, would)
		require.Equal(t, map[string]int{"m": tc.sent}, a.take())
		require.Empty(t, b.take())
	}
}

// A group was renamed while its dead letters lay in the topic. They reach the group
// under its old name, and under its new one.
func TestRedriveToRenamedGroup(t *testing.T) {
	for name, opt := range map[string]delivery.Option{"retry topics": chain, "in place": delivery.BlockingRetry(delivery.Attempts(1))} {
		t.Run(name, func(t *testing.T) {
			h := deliverytest.New(t)
			l, err := delivery.Listen(h.Client(), orders, "old", (&seen{n: map[string]int{}}).handler(true), opt)
			require.NoError(t, err)
			h.Start(l)
			h.Publish(orders, "k", "v")
			h.Publish(orders, "k", "w")
			h.Advance(time.Minute)
			h.ExpectDeadLetter("m-dlt", 2)
			require.NoError(t, h.Stop(l))
			renamed := listen(t, h, "new", false, opt, delivery.GroupAliases("old"), delivery.StartAt(delivery.Latest()))
			renamed.take()
			require.Equal(t, 1, task(t, h, dlt.Filter{Limit: 1}, dlt.ToGroup("old"), dlt.ForceGroup()).Sent)
			require.Equal(t, 1, task(t, h, dlt.Filter{Group: "old"}, dlt.ToGroup("new")).Sent)
			n := 0
			for _, times := range renamed.take() {
				n += times
			}
			require.Equal(t, 2, n)
		})
	}
}

func TestHeaderText(t *testing.T) {
	for _, tc := range []struct {
		name, value, want string
	}{
		{"retry_topic-attempts", "\x00\x00\x00\x02", "2"},
		{"retry_topic-attempts", "\x03", "3"},
		{"retry_topic-original-timestamp", "\x01\x9a\x00\x00\x00\x00", "2025-10-20T05:03:11.360Z"},
		{"retry_topic-backoff-timestamp", "\x00", "1970-01-01T00:00:00.000Z"},
		{"kafka_original-partition", "\x00\x00\x00\x00", "0"},
		{"kafka_dlt-original-partition", "\xff\xff\xff\xff", "-1"},
		{"kafka_dlt-original-offset", "\x00\x00\x00\x00\x00\x00\x01\x00", "256"},
		{"kafka_original-timestamp", "\x00\x00\x01\x9a\x00\x00\x00\x00", "2025-10-20T05:03:11.360Z"},
		{"kafka_original-offset", "", ""},
		{"kafka_original-topic", "mail", ""},
		{"original-offset", "\x00", ""},
		{"kafka_original-offset", "123456789", ""},
	} {
		got, ok := dlt.HeaderText(kgo.RecordHeader{Key: tc.name, Value: []byte(tc.value)})
		require.Equal(t, tc.want != "", ok, tc.name)
		if ok {
			require.Equal(t, tc.want, got, tc.name)
		}
	}
}

// Check asks for topics that may not exist. A topic that the user may not see counts
// as missing, and Check still asks for the next ones.
func TestCheckWithoutPermission(t *testing.T) {
	suffixes := dlt.Suffixes()
	last := "m" + suffixes[len(suffixes)-1]
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "m", "m-dlt", last))
	require.NoError(t, err)
	defer cluster.Close()
	c, err := delivery.Dial(cluster.ListenAddrs())
	require.NoError(t, err)
	defer c.Close()
	shown := map[string]bool{"m": true, "m-dlt": true}
	failure, denied := kerr.TopicAuthorizationFailed, 0
	cluster.ControlKey(int16(kmsg.Metadata), func(q kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := q.(*kmsg.MetadataRequest)
		if len(req.Topics) != 1 || req.Topics[0].Topic == nil || shown[*req.Topics[0].Topic] {
			return nil, nil, false
		}
		denied++
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		rt := kmsg.NewMetadataResponseTopic()
		rt.Topic, rt.ErrorCode = req.Topics[0].Topic, failure.Code
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	require.NoError(t, dlt.Open(c, "m-dlt").Check(t.Context()))
	require.Positive(t, denied)

	shown = map[string]bool{"m": true, last: true}
	failure = kerr.UnknownServerError
	require.ErrorIs(t, dlt.Open(c, "m").Check(t.Context()), kerr.UnknownServerError, "it does not say that there is no topic")
	failure = kerr.TopicAuthorizationFailed
	var not *dlt.NotDeadLettersError
	require.ErrorAs(t, dlt.Open(c, "m").Check(t.Context()), &not)
	require.Equal(t, last, not.Meant)
}
