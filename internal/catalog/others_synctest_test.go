package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/meta/metatest"
	"github.com/botehq/bote/internal/topic"
)

// parts is an applier that knows which partitions are open, and refuses to open one twice.
type parts struct {
	mu    sync.Mutex
	open  map[topic.ID]int32
	calls int
}

func newParts() *parts { return &parts{open: map[topic.ID]int32{}} }

func (p *parts) Created(_ context.Context, created []catalog.Created) []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	errs := make([]error, len(created))
	for i, c := range created {
		if p.open[c.Topic.ID] != c.From {
			errs[i] = fmt.Errorf("%s has %d partitions and not %d", c.Topic.Name, p.open[c.Topic.ID], c.From)
			continue
		}
		p.open[c.Topic.ID] = c.Topic.Partitions
	}
	return errs
}

func (p *parts) Changed(*catalog.Topic) {}

func (p *parts) Deleted(_ context.Context, deleted []*catalog.Topic) []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	errs := make([]error, len(deleted))
	for i, t := range deleted {
		if p.open[t.ID] != t.Partitions {
			errs[i] = fmt.Errorf("%s has %d partitions open", t.Name, p.open[t.ID])
		}
		delete(p.open, t.ID)
	}
	return errs
}

// requireOpen requires that the partitions of all topics of a snapshot are open, and no
// others.
func (p *parts) requireOpen(t *testing.T, s *catalog.Snapshot) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	want := map[topic.ID]int32{}
	for topic := range s.Topics() {
		want[topic.ID] = topic.Partitions
	}
	require.Equal(t, want, p.open)
}

// member is one of the catalogs that share a store.
type member struct {
	*catalog.Catalog
	parts *parts
}

// join opens a catalog that follows the others until leave is called.
func join(t *testing.T, store meta.Store, node int32) (m member, leave func()) {
	t.Helper()
	c, err := catalog.Open(t.Context(), store, node, nil, false)
	require.NoError(t, err)
	m = member{c, newParts()}
	c.SetApplier(m.parts)
	for topic := range c.Snapshot().Topics() {
		m.parts.open[topic.ID] = topic.Partitions
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Follow(ctx, func(err error) { t.Error(err) }) }()
	synctest.Wait()
	return m, func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

func (m member) create(t *testing.T, names ...string) []error {
	t.Helper()
	var specs []catalog.Spec
	for _, name := range names {
		specs = append(specs, catalog.Spec{Name: name, Partitions: 2, ReplicationFactor: 1})
	}
	_, errs := m.CreateTopics(t.Context(), specs, onePartition, false)
	return errs
}

func set(name, value string) func(func(string) string, map[string]string) error {
	return func(_ func(string) string, values map[string]string) error {
		values[name] = value
		return nil
	}
}

// requireSame waits until the catalogs have seen all changes, and requires that they have
// the same topics and configs.
func requireSame(t *testing.T, members ...member) {
	t.Helper()
	synctest.Wait()
	describe := func(s *catalog.Snapshot) (out []string) {
		for topic := range s.Topics() {
			out = append(out, fmt.Sprint(topic.Name, topic.ID, topic.Partitions, topic.Overrides, topic.Config.MaxMessageBytes))
		}
		for _, g := range s.Groups() {
			out = append(out, fmt.Sprint(g, s.Group(g)))
		}
		return append(out, fmt.Sprint(s.Layers(nil).DynamicDefault))
	}
	for _, m := range members {
		m.parts.requireOpen(t, m.Snapshot())
		require.Equal(t, describe(members[0].Snapshot()), describe(m.Snapshot()))
	}
}

// TestCatalogsSeeEachOther: two catalogs on one store see each other's topics, partitions
// and configs, also when many topics are created at once.
func TestCatalogsSeeEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memmeta.New()
		a, leaveA := join(t, store, 1)
		b, leaveB := join(t, store, 2)
		defer leaveA()
		defer leaveB()
		require.Equal(t, []error{nil, nil}, a.create(t, "one", "two"))
		requireSame(t, a, b)
		require.Equal(t, 2, b.Snapshot().Len())
		require.ErrorIs(t, b.create(t, "one")[0], kerr.TopicAlreadyExists)
		require.NoError(t, b.AddPartitions(t.Context(), "one", 5, false))
		require.NoError(t, b.AlterTopic(t.Context(), "two", set("retention.ms", "5"), false))
		require.NoError(t, b.AlterBroker(t.Context(), true, set("message.max.bytes", "7"), false))
		require.NoError(t, b.AlterGroup(t.Context(), "g", set("consumer.session.timeout.ms", "45000"), false))
		requireSame(t, a, b)
		require.EqualValues(t, 5, a.Snapshot().Topic("one").Partitions)
		require.EqualValues(t, 5, a.Snapshot().Topic("two").Config.RetentionMs)
		require.EqualValues(t, 7, a.Snapshot().Topic("one").Config.MaxMessageBytes)
		_, errs := a.DeleteTopics(t.Context(), []topic.ID{a.Snapshot().Topic("one").ID})
		require.NoError(t, errs[0])
		require.NoError(t, a.create(t, "one")[0], "the name is free")
		requireSame(t, a, b)

		calls := b.parts.calls
		names := make([]string, 0, 350)
		for i := range cap(names) {
			names = append(names, fmt.Sprintf("many-%d", i))
		}
		for _, err := range a.create(t, names...) {
			require.NoError(t, err)
		}
		requireSame(t, a, b)
		require.LessOrEqual(t, b.parts.calls-calls, 4, "in batches")
	})
}

// TestOthersAreFaster: a change that was decided by an outdated snapshot is decided again,
// even if the catalog does not follow the store.
func TestOthersAreFaster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memmeta.New()
		deaf, err := catalog.Open(t.Context(), store, 1, nil, true)
		require.NoError(t, err)
		a := member{deaf, newParts()}
		deaf.SetApplier(a.parts)
		b, leave := join(t, store, 2)
		defer leave()

		require.NoError(t, b.create(t, "one")[0])
		errs := a.create(t, "one", "two")
		require.ErrorIs(t, errs[0], kerr.TopicAlreadyExists)
		require.NoError(t, errs[1], "the other of the same transaction")
		require.NoError(t, b.AlterTopic(t.Context(), "one", set("retention.ms", "5"), false))
		require.NoError(t, a.AlterTopic(t.Context(), "one", set("retention.bytes", "6"), false))
		require.Equal(t, map[string]string{"retention.ms": "5", "retention.bytes": "6"}, a.Snapshot().Topic("one").Overrides, "none is lost")
		require.NoError(t, b.AlterBroker(t.Context(), true, set("message.max.bytes", "7"), false))
		require.NoError(t, a.AlterBroker(t.Context(), true, set("log.retention.ms", "9"), false))
		require.Equal(t, "7", a.Snapshot().Layers(nil).DynamicDefault["message.max.bytes"])
		synctest.Wait()
		require.NoError(t, b.AddPartitions(t.Context(), "one", 5, false))
		require.ErrorIs(t, a.AddPartitions(t.Context(), "one", 4, false), kerr.InvalidPartitions)
		one := b.Snapshot().Topic("one").ID
		_, errs = b.DeleteTopics(t.Context(), []topic.ID{one})
		require.NoError(t, errs[0])
		_, errs = a.DeleteTopics(t.Context(), []topic.ID{one})
		require.ErrorIs(t, errs[0], kerr.UnknownTopicID)
		requireSame(t, a, b)
	})
}

// TestUnclearOutcomes: two catalogs on one store, many of whose transactions have unclear
// outcomes, do what they tell their clients, and agree in the end.
func TestUnclearOutcomes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			under := memmeta.New()
			a, leaveA := join(t, metatest.NewUnclear(under, 3, seed), 1)
			b, leaveB := join(t, metatest.NewUnclear(under, 3, seed+100), 2)
			defer leaveA()
			defer leaveB()
			rng := rand.New(rand.NewPCG(seed, 2))
			for i := range 60 {
				m := []member{a, b}[rng.IntN(2)]
				if rng.IntN(2) == 0 {
					synctest.Wait() // else m may not know the last change yet
				}
				m.step(t, rng, i)
			}
			requireSame(t, a, b)
			after, leave := join(t, under, 3)
			defer leave()
			requireSame(t, a, after)
		})
	}
}

// step makes one random change, and requires that its effect is what the client is told.
func (m member) step(t *testing.T, rng *rand.Rand, i int) {
	t.Helper()
	name := fmt.Sprintf("t%d", rng.IntN(8))
	is := m.Snapshot().Topic(name)
	switch rng.IntN(4) {
	case 0:
		if err := m.create(t, name)[0]; err == nil {
			require.NotNil(t, m.Snapshot().Topic(name))
		} else {
			require.ErrorIs(t, err, kerr.TopicAlreadyExists)
		}
	case 1:
		if is == nil {
			return
		}
		_, errs := m.DeleteTopics(t.Context(), []topic.ID{is.ID})
		if errs[0] != nil {
			require.ErrorIs(t, errs[0], kerr.UnknownTopicID)
		}
		require.Nil(t, m.Snapshot().TopicByID(is.ID))
	case 2:
		if is == nil {
			return
		}
		count := is.Partitions + 1
		switch err := m.AddPartitions(t.Context(), name, count, false); {
		case err == nil:
			require.GreaterOrEqual(t, m.Snapshot().Topic(name).Partitions, count)
		case !errors.Is(err, kerr.InvalidPartitions):
			require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
		}
	case 3:
		value := fmt.Sprint(i + 1000)
		require.NoError(t, m.AlterBroker(t.Context(), true, set("message.max.bytes", value), false))
		require.Equal(t, value, m.Snapshot().Layers(nil).DynamicDefault["message.max.bytes"])
	}
}

// TestProducerIDsAreGivenOnce: two catalogs whose transactions have unclear outcomes give
// out no producer ID twice.
func TestProducerIDsAreGivenOnce(t *testing.T) {
	t.Parallel()
	under := memmeta.New()
	given := map[int64]bool{}
	var members []*catalog.Catalog
	for node := range int32(2) {
		c, err := catalog.Open(t.Context(), metatest.NewUnclear(under, 2, uint64(node)), node, nil, true)
		require.NoError(t, err)
		members = append(members, c)
	}
	for i := range 20_000 {
		id, err := members[i%2].ProducerID(t.Context())
		require.NoError(t, err)
		require.False(t, given[id])
		given[id] = true
	}
}

// refusing is a store whose transactions all return err, unless it is nil.
type refusing struct {
	meta.Store
	err error
}

func (r *refusing) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.Store.Txn(ctx, conds, ops)
}

// TestGivesUp: a change whose transactions always conflict, or always have an unclear
// outcome, is given up with an error after which a client tries again.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	for _, err := range []error{meta.ErrConflict, meta.ErrUnclear} {
		store := &refusing{Store: memmeta.New()}
		c, openErr := catalog.Open(t.Context(), store, 1, nil, true)
		require.NoError(t, openErr)
		m := member{c, newParts()}
		c.SetApplier(m.parts)
		require.NoError(t, m.create(t, "one")[0])
		store.err = err
		id := c.Snapshot().Topic("one").ID
		_, deleted := c.DeleteTopics(t.Context(), []topic.ID{id})
		_, pid := c.ProducerID(t.Context())
		for _, got := range []error{
			m.create(t, "two")[0], deleted[0], pid, c.AddPartitions(t.Context(), "one", 5, false),
			c.AlterTopic(t.Context(), "one", set("retention.ms", "5"), false),
			c.AlterGroup(t.Context(), "g", set("consumer.session.timeout.ms", "45000"), false),
		} {
			known, ok := errors.AsType[*kerr.Error](got)
			require.True(t, ok, "%v", got)
			require.True(t, known.Retriable, "%v", got)
		}
		_, runErr := c.NextRun(t.Context())
		require.ErrorIs(t, runErr, err)
		m.parts.requireOpen(t, c.Snapshot())
	}
}

// scripted is a store in which some transactions, by their number, have an unclear outcome.
// Its watches report one change at a time.
type scripted struct {
	meta.Store
	unclear map[int]bool // by number: whether the transaction happens
	n       int
}

func (s *scripted) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
	happens, unclear := s.unclear[s.n]
	s.n++
	if unclear && !happens {
		return 0, meta.ErrUnclear
	}
	revision, err := s.Store.Txn(ctx, conds, ops)
	if err == nil && unclear {
		return 0, meta.ErrUnclear
	}
	return revision, err
}

func (s *scripted) Watch(ctx context.Context, prefix string, from int64) (meta.Events, error) {
	events, err := s.Store.Watch(ctx, prefix, from)
	return &oneByOne{Events: events}, err
}

type oneByOne struct {
	meta.Events
	rest []meta.Event
}

func (o *oneByOne) Next(ctx context.Context) (meta.Batch, error) {
	if len(o.rest) == 0 {
		b, err := o.Events.Next(ctx)
		if o.rest = b.Events; err != nil || len(o.rest) == 0 {
			return b, err
		}
	}
	e := o.rest[0]
	o.rest = o.rest[1:]
	return meta.Batch{Events: []meta.Event{e}, Revision: e.Revision - 1}, nil // more events of the same revision may follow
}

// TestUnclearSteps: whether an unclear transaction has happened or not, the client is told
// that its change was made, and partitions are opened once.
func TestUnclearSteps(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, 250) // needs three transactions
	for i := range cap(names) {
		names = append(names, fmt.Sprintf("many-%d", i))
	}
	for at := range 6 {
		for _, happened := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				store := &scripted{Store: memmeta.New()}
				m, leave := join(t, store, 1)
				defer leave()
				store.n, store.unclear = 0, map[int]bool{at: happened}
				for _, err := range m.create(t, names...) {
					require.NoError(t, err)
				}
				m.parts.requireOpen(t, m.Snapshot())
				var ids []topic.ID
				for topic := range m.Snapshot().Topics() {
					ids = append(ids, topic.ID)
				}
				require.Len(t, ids, len(names))
				_, errs := m.DeleteTopics(t.Context(), ids)
				for _, err := range errs {
					require.NoError(t, err)
				}
				require.Zero(t, m.Snapshot().Len())
				m.parts.requireOpen(t, m.Snapshot())
				calls := m.parts.calls
				requireSame(t, m)
				require.Equal(t, calls, m.parts.calls, "what it did itself does not come in again")
			})
		}
	}
}

// late is a store whose watches report each batch only when the test lets them, through
// gate.
type late struct {
	meta.Store
	gate chan struct{}
}

func (l late) Watch(ctx context.Context, prefix string, from int64) (meta.Events, error) {
	e, err := l.Store.Watch(ctx, prefix, from)
	return lateEvents{e, l.gate}, err
}

type lateEvents struct {
	meta.Events
	gate chan struct{}
}

func (e lateEvents) Next(ctx context.Context) (meta.Batch, error) {
	b, err := e.Events.Next(ctx)
	if err == nil {
		select {
		case <-e.gate:
		case <-ctx.Done():
		}
	}
	return b, err
}

// refusesFirst is an applier that fails the first creation.
type refusesFirst struct {
	*parts
	refused bool
}

func (r *refusesFirst) Created(ctx context.Context, created []catalog.Created) []error {
	if !r.refused {
		r.refused = true
		return []error{errors.New("no space")}
	}
	return r.parts.Created(ctx, created)
}

// TestRemovedThenCreated: a topic that could not be opened is removed from the store, and
// created again before the watch reports the removal. The late report must not remove the
// new topic.
func TestRemovedThenCreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := late{memmeta.New(), make(chan struct{}, 100)}
		c, err := catalog.Open(t.Context(), store, 1, nil, false)
		require.NoError(t, err)
		p := newParts()
		c.SetApplier(&refusesFirst{parts: p})
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go func() { _ = c.Follow(ctx, func(err error) { t.Error(err) }) }()
		synctest.Wait()
		m := member{c, p}
		require.ErrorContains(t, m.create(t, "orders")[0], "no space")
		require.NoError(t, m.create(t, "orders")[0])
		for range 100 {
			store.gate <- struct{}{}
		}
		synctest.Wait()
		require.NotNil(t, c.Snapshot().Topic("orders"))
	})
}

// TestFollowingGoesOn: Follow reports an entry of another broker that cannot be read, also
// if it was written before Follow began. Follow continues, and changes can still be made.
func TestFollowingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memmeta.New()
		c, err := catalog.Open(t.Context(), store, 1, nil, false)
		require.NoError(t, err)
		p := newParts()
		c.SetApplier(p)
		_, err = store.Txn(t.Context(), nil, []meta.Op{meta.Put("t/newer", []byte("{"))})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended, reported := make(chan error, 1), 0
		go func() { ended <- c.Follow(ctx, func(error) { reported++ }) }()
		synctest.Wait()
		require.Empty(t, ended)
		require.Equal(t, 1, reported)
		require.NoError(t, member{c, p}.create(t, "orders")[0])
		cancel()
		require.NoError(t, <-ended)

		_, err = catalog.Open(t.Context(), store, 1, nil, false)
		require.ErrorContains(t, err, "t/newer", "a start without the topic would lose its data")
	})
}

// TestNeverClear: every outcome is unclear, including that of the last attempt, which may
// have happened. The client is not told that it has not.
func TestNeverClear(t *testing.T) {
	there := 0
	for seed := range uint64(2000) {
		store := metatest.NewUnclear(memmeta.New(), 0, seed)
		c, err := catalog.Open(t.Context(), store, 1, nil, false)
		require.NoError(t, err)
		c.SetApplier(newParts())
		store.OneIn = 1
		_, errs := c.CreateTopics(t.Context(), []catalog.Spec{{Name: "a", Partitions: 2, ReplicationFactor: 1}}, onePartition, false)
		if errs[0] != nil && c.Snapshot().Topic("a") != nil {
			there++
			require.ErrorIs(t, errs[0], kerr.RequestTimedOut, seed)
		}
	}
	require.Positive(t, there)
}
