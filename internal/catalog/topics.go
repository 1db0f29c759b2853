package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/topic"
)

// Spec describes a topic to create. -1 in Partitions or ReplicationFactor means the
// default.
type Spec struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Config            map[string]string
	// Assignment maps partitions to replicas, if the client chose them.
	Assignment map[int32][]int32
}

// Policy has the broker's settings for new topics.
type Policy struct {
	NodeID            int32
	Partitions        int32
	ReplicationFactor int16
	// Clamp lowers a replication factor above the number of brokers, instead of
	// refusing it.
	Clamp bool
}

// CheckTopic returns the topic that creating spec would make, or why it cannot be created.
// The order of the checks is that of Kafka's ReplicationControlManager.
func (c *Catalog) CheckTopic(s *Snapshot, spec Spec, p Policy) (*Topic, error) {
	if spec.Name == "__cluster_metadata" {
		return nil, refuse(kerr.InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited.")
	}
	if err := topic.Validate(spec.Name); err != nil {
		return nil, refuse(kerr.InvalidTopicException, "%s", err.Error())
	}
	if s.Topic(spec.Name) != nil {
		return nil, refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", spec.Name)
	}
	if other := s.collides(spec.Name); other != "" {
		return nil, refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", spec.Name, other)
	}
	n, err := partitionCount(spec, p)
	if err != nil {
		return nil, err
	}
	t := &Topic{Name: spec.Name, ID: topic.NewID(), Partitions: n, Overrides: spec.Config, BornInRun: s.run}
	if err := s.Layers(t).ValidateTopic(); err != nil {
		return nil, refuse(kerr.InvalidConfig, "%s", err.Error())
	}
	t.Config = s.Layers(t).TopicConfig()
	return t, nil
}

func partitionCount(spec Spec, p Policy) (int32, error) {
	if len(spec.Assignment) > 0 {
		return checkAssignment(spec, p)
	}
	factor := spec.ReplicationFactor
	switch {
	case factor == -1:
		factor = p.ReplicationFactor
	case factor <= 0:
		return 0, refuse(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	}
	n := spec.Partitions
	switch {
	case n == -1:
		n = p.Partitions
	case n <= 0:
		return 0, refuse(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case n > maxPartitions:
		return 0, refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	if factor > 1 && !p.Clamp {
		return 0, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only 1 broker(s) are registered.", factor, factor)
	}
	return n, nil
}

// maxPartitions bounds how many partitions one request can create, as in Kafka's
// controller.
const maxPartitions = 10_000

func checkAssignment(spec Spec, p Policy) (int32, error) {
	if spec.Partitions != -1 {
		return 0, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	if spec.ReplicationFactor != -1 {
		return 0, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	n := int32(len(spec.Assignment))
	if n > maxPartitions {
		return 0, refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	for i := range n {
		replicas, ok := spec.Assignment[i]
		if !ok {
			return 0, refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if err := CheckReplicas(replicas, p.NodeID); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// CheckReplicas refuses a manual assignment to anything but this broker alone.
func CheckReplicas(replicas []int32, nodeID int32) error {
	if len(replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, r := range sorted {
		if i > 0 && sorted[i-1] == r {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", r)
		}
	}
	for _, r := range sorted {
		if r != nodeID {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", r)
		}
	}
	return nil
}

// CreateTopic creates a topic. When it returns, the topic can be used.
func (c *Catalog) CreateTopic(ctx context.Context, spec Spec, p Policy) (*Topic, error) {
	topics, errs := c.create(ctx, []Spec{spec}, p, false, math.MaxInt32)
	return topics[0], errs[0]
}

// CreateTopics creates topics. It checks each against the existing topics only, so two new
// names that collide with each other are both created, as in Kafka. The topics are opened
// and published together.
func (c *Catalog) CreateTopics(ctx context.Context, specs []Spec, p Policy, validateOnly bool) ([]*Topic, []error) {
	return c.create(ctx, specs, p, validateOnly, maxPartitions)
}

// create is CreateTopics with a limit on the number of partitions of all topics together.
func (c *Catalog) create(ctx context.Context, specs []Spec, p Policy, validateOnly bool, limit int32) ([]*Topic, []error) {
	topics, errs := make([]*Topic, len(specs)), make([]error, len(specs))
	release, err := c.takeTurn(ctx)
	if err != nil {
		return topics, slices.Repeat([]error{err}, len(specs))
	}
	defer release()
	now := c.Snapshot()
	opened := int32(0)
	var accepted []int
	for i, spec := range specs {
		t, err := c.CheckTopic(now, spec, p)
		if err == nil && !validateOnly {
			if opened += t.Partitions; opened > limit {
				err = refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
			} else {
				accepted = append(accepted, i)
			}
		}
		if errs[i] = err; err == nil {
			topics[i] = t
		}
	}
	b := creation{c: c, specs: specs, policy: p, topics: topics, errs: errs}
	for b.remaining = range slices.Chunk(accepted, topicsPerTxn) {
		b.tried = false
		if err := c.decide(func(bool) (bool, error) { return b.store(ctx) }); err != nil {
			b.fail(b.remaining, err)
		}
	}
	b.open(context.WithoutCancel(ctx)) // what is stored must be opened, even if the client leaves
	return topics, errs
}

// topicsPerTxn bounds how many topics one transaction of the store creates or deletes.
const topicsPerTxn = 100

// creation creates the topics of a request. It stores them in one or more transactions,
// and then opens them together. Topics and errs have the request's indexes.
type creation struct {
	c         *Catalog
	specs     []Spec
	policy    Policy
	topics    []*Topic
	errs      []error
	remaining []int // indexes of the topics that the present transaction has to store
	tried     bool  // the present transaction was tried before
	stored    []int // indexes of the topics that are stored and not open yet
}

func (b *creation) fail(indexes []int, err error) {
	for _, i := range indexes {
		b.topics[i], b.errs[i] = nil, err
	}
}

// store stores the topics in remaining. If that was tried before, it first rechecks them against
// the present snapshot.
func (b *creation) store(ctx context.Context) (nowUnclear bool, err error) {
	if b.tried {
		b.recheck()
	}
	if b.tried = true; len(b.remaining) == 0 {
		return false, nil
	}
	conds, ops := make([]meta.Cond, 0, len(b.remaining)), make([]meta.Op, 0, len(b.remaining))
	for _, i := range b.remaining {
		key := topicPrefix + b.topics[i].Name
		conds, ops = append(conds, meta.Cond{Key: key}), append(ops, putJSON(key, b.topics[i].record()))
	}
	revision, nowUnclear, err := b.c.commit(ctx, conds, ops)
	if err != nil {
		return nowUnclear, err
	}
	for _, i := range b.remaining {
		b.topics[i].revision = revision
	}
	b.stored = append(b.stored, b.remaining...)
	return false, nil
}

// recheck removes topics from left that need not or cannot be stored any more: an earlier
// attempt with an unclear outcome has stored them, or others have created their names.
func (b *creation) recheck() {
	s := b.c.Snapshot()
	var left []int
	for _, i := range b.remaining {
		if is := s.TopicByID(b.topics[i].ID); is != nil {
			b.topics[i] = is
			continue
		}
		t, err := b.c.CheckTopic(s, b.specs[i], b.policy)
		if err != nil {
			b.fail([]int{i}, err)
			continue
		}
		t.ID = b.topics[i].ID // recognises an earlier attempt that takes effect late
		b.topics[i] = t
		left = append(left, i)
	}
	b.remaining = left
}

// open opens and publishes the stored topics. Some may have been published already, when
// the snapshot was brought up to date after an unclear outcome. A topic that cannot be
// opened is removed from the store.
func (b *creation) open(ctx context.Context) {
	var created []Created
	var of []int // the request's index of each entry of created
	for _, i := range b.stored {
		now, t := b.c.Snapshot(), b.topics[i]
		if is := now.TopicByID(t.ID); is != nil {
			b.topics[i] = is
			continue
		}
		created, of = append(created, Created{Topic: t, LeaderEpoch: now.LeaderEpoch(t)}), append(of, i)
	}
	if len(created) == 0 {
		return
	}
	errs := b.c.applier.Created(ctx, created)
	b.c.current.Store(b.c.Snapshot().edit(func(s *Snapshot) {
		for at, err := range errs {
			if err == nil {
				s.put(created[at].Topic)
			}
		}
	}))
	for at, err := range errs {
		if err == nil {
			continue
		}
		t := created[at].Topic
		b.fail(of[at:at+1], errors.Join(fmt.Errorf("open the partitions of %s: %w", t.Name, err), b.c.unstore(ctx, t)))
	}
}

// unstore removes the entry of a topic that could not be opened, unless others have changed
// the entry meanwhile.
func (c *Catalog) unstore(ctx context.Context, t *Topic) error {
	key := topicPrefix + t.Name
	return c.decide(func(bool) (bool, error) {
		if s := c.Snapshot(); s.TopicByID(t.ID) != nil { // published by a catchUp
			c.current.Store(s.edit(func(s *Snapshot) { s.remove(t) }))
		}
		_, err := c.txn(ctx, []meta.Cond{{Key: key, Revision: t.revision}}, []meta.Op{meta.Delete(key)})
		switch {
		case errors.Is(err, meta.ErrConflict): // the entry is gone, or others have changed it
			return false, nil
		case errors.Is(err, meta.ErrUnclear):
			return true, errAgain
		}
		return false, err
	})
}

// DeleteTopics deletes topics. When it returns, their names are free. It returns the
// deleted topics.
func (c *Catalog) DeleteTopics(ctx context.Context, ids []topic.ID) ([]*Topic, []error) {
	topics, errs := make([]*Topic, len(ids)), make([]error, len(ids))
	release, err := c.takeTurn(ctx)
	if err != nil {
		return topics, slices.Repeat([]error{err}, len(ids))
	}
	defer release()
	seen := map[topic.ID]bool{}
	var there []int
	for i, id := range ids {
		if topics[i] = c.Snapshot().TopicByID(id); topics[i] == nil || seen[id] {
			errs[i] = kerr.UnknownTopicID
			continue
		}
		seen[id] = true
		there = append(there, i)
	}
	d := deletion{c: c, topics: topics, errs: errs}
	for d.remaining = range slices.Chunk(there, topicsPerTxn) {
		if err := c.decide(func(unclear bool) (bool, error) { return d.store(ctx, unclear) }); err != nil {
			for _, i := range d.remaining {
				errs[i] = fmt.Errorf("delete topic %s: %w", topics[i].Name, err)
			}
		}
	}
	if len(d.gone) > 0 {
		for at, err := range c.applier.Deleted(context.WithoutCancel(ctx), d.gone) {
			errs[d.of[at]] = err
		}
	}
	return topics, errs
}

// deletion deletes the topics of a request. Topics, errs and remaining are as in creation.
type deletion struct {
	c         *Catalog
	topics    []*Topic
	errs      []error
	remaining []int
	gone      []*Topic
	of        []int // the request's index of each entry of gone
}

// store removes the topics in remaining from the store and the snapshot.
func (d *deletion) store(ctx context.Context, unclear bool) (nowUnclear bool, err error) {
	s := d.c.Snapshot()
	var left []int
	var conds []meta.Cond
	var ops []meta.Op
	var gone []*Topic
	for _, i := range d.remaining {
		t := s.TopicByID(d.topics[i].ID)
		if t == nil {
			if !unclear { // others have deleted it
				d.errs[i] = kerr.UnknownTopicID
			}
			continue
		}
		key := topicPrefix + t.Name
		left, gone = append(left, i), append(gone, t)
		conds, ops = append(conds, meta.Cond{Key: key, Revision: t.revision}), append(ops, meta.Delete(key))
	}
	if d.remaining = left; len(left) == 0 {
		return false, nil
	}
	if _, nowUnclear, err := d.c.commit(ctx, conds, ops); err != nil {
		return nowUnclear, err
	}
	d.c.current.Store(s.edit(func(s *Snapshot) {
		for _, t := range gone {
			s.remove(t)
		}
	}))
	d.gone, d.of = append(d.gone, gone...), append(d.of, left...)
	return false, nil
}

// AddPartitions grows a topic to count partitions.
func (c *Catalog) AddPartitions(ctx context.Context, name string, count int32, validateOnly bool) error {
	release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.decide(func(unclear bool) (nowUnclear bool, err error) {
		t := c.Snapshot().Topic(name)
		if unclear && t != nil && t.Partitions == count {
			return false, nil
		}
		if err := checkGrowth(name, t, count); err != nil || validateOnly {
			return false, err
		}
		grown := *t
		grown.Partitions = count
		if grown.revision, nowUnclear, err = c.storeTopic(ctx, t, &grown); err != nil {
			return nowUnclear, err
		}
		return false, c.openGrown(context.WithoutCancel(ctx), t, &grown)
	})
}

func checkGrowth(name string, t *Topic, count int32) error {
	switch {
	case t == nil:
		return kerr.UnknownTopicOrPartition
	case count == t.Partitions:
		return refuse(kerr.InvalidPartitions, "Topic already has %d partition(s).", count)
	case count < t.Partitions:
		return refuse(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", name, t.Partitions, count)
	case count-t.Partitions > maxPartitions:
		return refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	case name == topic.ConsumerOffsets:
		return refuse(kerr.PolicyViolation, "The partitions of %s say which one has the offsets of a group: their number cannot change.", name)
	}
	return nil
}

// openGrown opens the new partitions and publishes the grown topic. If they cannot be
// opened, it stores the topic as it was before.
func (c *Catalog) openGrown(ctx context.Context, t, grown *Topic) error {
	now := c.Snapshot()
	err := c.applier.Created(ctx, []Created{{grown, t.Partitions, now.LeaderEpoch(t)}})[0]
	if err == nil {
		c.current.Store(now.edit(func(s *Snapshot) { s.put(grown) }))
		return nil
	}
	err = fmt.Errorf("open new partitions of %s: %w", t.Name, err)
	back := *t
	revision, _, undo := c.storeTopic(ctx, grown, &back)
	switch {
	case undo == nil:
		back.revision = revision
		c.current.Store(now.edit(func(s *Snapshot) { s.put(&back) }))
	case errors.Is(undo, errAgain): // commit has brought the snapshot up to date
	default:
		err = errors.Join(err, undo)
	}
	return err
}

// storeTopic replaces the entry of a topic, if it still has was.revision.
func (c *Catalog) storeTopic(ctx context.Context, was, is *Topic) (revision int64, unclear bool, err error) {
	key := topicPrefix + was.Name
	revision, unclear, err = c.commit(ctx, []meta.Cond{{Key: key, Revision: was.revision}}, []meta.Op{putJSON(key, is.record())})
	if err != nil && !errors.Is(err, errAgain) {
		err = fmt.Errorf("store topic %s: %w", was.Name, err)
	}
	return revision, unclear, err
}

// AlterTopic replaces the configs set for a topic by what change makes of them. Change
// may be called more than once.
func (c *Catalog) AlterTopic(ctx context.Context, name string, change func(effective func(string) string, set map[string]string) error, validateOnly bool) error {
	release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	var tried map[string]string
	return c.decide(func(unclear bool) (bool, error) {
		now := c.Snapshot()
		t := now.Topic(name)
		switch {
		case t == nil:
			return false, kerr.UnknownTopicOrPartition
		case unclear && maps.Equal(t.Overrides, tried):
			return false, nil
		}
		altered := *t
		if altered.Overrides = maps.Clone(t.Overrides); altered.Overrides == nil {
			altered.Overrides = map[string]string{}
		}
		if err := change(now.Layers(t).TopicValue, altered.Overrides); err != nil {
			return false, err
		}
		if err := now.Layers(&altered).ValidateTopic(); err != nil {
			return false, refuse(kerr.InvalidConfig, "%s", err.Error())
		}
		altered.Config = now.Layers(&altered).TopicConfig()
		if validateOnly {
			return false, nil
		}
		tried = altered.Overrides
		var err error
		if altered.revision, unclear, err = c.storeTopic(ctx, t, &altered); err != nil {
			return unclear, err
		}
		c.current.Store(now.edit(func(s *Snapshot) { s.put(&altered) }))
		c.applier.Changed(&altered)
		return false, nil
	})
}

// AlterBroker replaces the configs set at run time by what change makes of them: those of
// this broker or, if cluster is set, those of every broker. Change may be called more than
// once.
func (c *Catalog) AlterBroker(ctx context.Context, cluster bool, change func(effective func(string) string, set map[string]string) error, validateOnly bool) error {
	key := c.brokers
	if cluster {
		key = clusterKey
	}
	effective := func(name string) string {
		v, _ := c.Snapshot().Layers(nil).BrokerValue(name)
		return v
	}
	return c.alterConfig(ctx, key, func(set map[string]string) error { return change(effective, set) }, validateOnly)
}

// AlterGroup replaces the configs set for a group by what change makes of them. Change may
// be called more than once.
func (c *Catalog) AlterGroup(ctx context.Context, name string, change func(effective func(string) string, set map[string]string) error, validateOnly bool) error {
	return c.alterConfig(ctx, groupPrefix+name, func(set map[string]string) error {
		before := maps.Clone(set)
		effective := func(key string) string {
			for _, e := range config.GroupEntries(before) {
				if e.Name == key && e.Value != nil {
					return *e.Value
				}
			}
			return ""
		}
		return change(effective, set)
	}, validateOnly)
}

// alterConfig replaces the configs of a key by what change makes of them. If none is left,
// it deletes the key.
func (c *Catalog) alterConfig(ctx context.Context, key string, change func(set map[string]string) error, validateOnly bool) error {
	release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	var tried map[string]string
	return c.decide(func(unclear bool) (bool, error) {
		now := c.Snapshot()
		was := now.config(c.brokers, key)
		if unclear && maps.Equal(was, tried) {
			return false, nil
		}
		set := maps.Clone(was)
		if set == nil {
			set = map[string]string{}
		}
		if err := change(set); err != nil || validateOnly {
			return false, err
		}
		tried = set
		op := putJSON(key, set)
		if len(set) == 0 {
			op = meta.Delete(key)
		}
		revision, unclear, err := c.commit(ctx, []meta.Cond{{Key: key, Revision: now.revisions[key]}}, []meta.Op{op})
		if err != nil {
			if !errors.Is(err, errAgain) {
				err = fmt.Errorf("store %s: %w", key, err)
			}
			return unclear, err
		}
		if len(set) == 0 {
			revision = 0 // there is no entry
		}
		var changed []*Topic
		c.current.Store(now.edit(func(s *Snapshot) {
			s.setConfig(c.brokers, key, set, revision)
			changed = s.resetConfigs(now)
		}))
		for _, t := range changed {
			c.applier.Changed(t)
		}
		return false, nil
	})
}

// producerIDs is the rest of a block of producer IDs: next <= end. A block is reserved in
// the store before its first ID is given out, so no ID is given out twice.
type producerIDs struct{ next, end int64 }

const (
	pidKey   = "pid"
	pidBlock = 1000
)

// ProducerID returns an ID that no producer ever had.
func (c *Catalog) ProducerID(ctx context.Context) (int64, error) {
	if err := c.pidTurn.TakeContext(ctx); err != nil {
		return 0, err //nolint:wrapcheck // it is the context's
	}
	defer c.pidTurn.Give()
	if c.pids.next == c.pids.end {
		first, err := c.takeBlock(ctx)
		if err != nil {
			return 0, err
		}
		c.pids = producerIDs{first, first + pidBlock}
	}
	id := c.pids.next
	c.pids.next++
	return id, nil
}

// takeBlock reserves a block of producer IDs. If the outcome is unclear, it reads the store
// again and reserves the block that is next there. The unclear block may be lost, but it is
// never used: another broker may have it.
func (c *Catalog) takeBlock(ctx context.Context) (first int64, err error) {
	for range attempts {
		first, err = c.tryTakeBlock(ctx)
		if !errors.Is(err, meta.ErrConflict) && !errors.Is(err, meta.ErrUnclear) {
			break
		}
	}
	switch {
	case errors.Is(err, meta.ErrConflict), errors.Is(err, meta.ErrUnclear):
		return 0, errors.Join(&RefusedError{Code: kerr.CoordinatorNotAvailable, Message: "No producer IDs could be taken; try again."}, err)
	case err != nil:
		return 0, fmt.Errorf("take producer IDs: %w", err)
	}
	return first, nil
}

func (c *Catalog) tryTakeBlock(ctx context.Context) (first int64, err error) {
	e, err := c.get(ctx, pidKey)
	if err != nil {
		return 0, err
	}
	if e.Revision != 0 {
		if first, err = strconv.ParseInt(string(e.Value), 10, 64); err != nil {
			return 0, err
		}
	}
	_, err = c.store.Txn(ctx, []meta.Cond{{Key: pidKey, Revision: e.Revision}}, []meta.Op{putJSON(pidKey, first+pidBlock)})
	return first, err
}
