package catalog

import (
	"context"
	"encoding/json"
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

// Spec is a topic to be created. -1 for Partitions and ReplicationFactor is the
// default.
type Spec struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Config            map[string]string
	// Assignment has the replicas by partition, if the client chose them.
	Assignment map[int32][]int32
}

// Policy is what the broker's settings say about new topics.
type Policy struct {
	NodeID            int32
	Partitions        int32
	ReplicationFactor int16
	// Clamp lowers a replication factor above the number of brokers, instead of
	// refusing it.
	Clamp bool
}

// CheckTopic says what creating a topic would make, or why it cannot be. The
// order of the checks is that of Kafka's ReplicationControlManager.
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
	t := &Topic{Name: spec.Name, ID: topic.NewID(), Partitions: n, Overrides: spec.Config, Born: s.run}
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

// maxPartitions bounds what one request can make the broker open, as Kafka's
// controller does.
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

// CheckReplicas refuses a manual assignment that is not this broker alone.
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

// CreateTopics creates topics that do not know of each other: two names that
// collide only with one another are both created, as in Kafka. They are stored, opened
// and published together.
func (c *Catalog) CreateTopics(ctx context.Context, specs []Spec, p Policy, validateOnly bool) ([]*Topic, []error) {
	return c.create(ctx, specs, p, validateOnly, maxPartitions)
}

// create is CreateTopics with a limit of the partitions of all topics together.
func (c *Catalog) create(ctx context.Context, specs []Spec, p Policy, validateOnly bool, limit int32) ([]*Topic, []error) {
	defer c.takeTurn()()
	now := c.Snapshot()
	topics, errs := make([]*Topic, len(specs)), make([]error, len(specs))
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
	for batch := range slices.Chunk(accepted, topicsPerTxn) {
		c.createAll(ctx, topics, errs, batch)
	}
	return topics, errs
}

// topicsPerTxn bounds what one transaction of the store changes.
const topicsPerTxn = 100

// createAll stores, opens and publishes those topics whose indexes it is given. The
// others of them are gone when some cannot be opened.
func (c *Catalog) createAll(ctx context.Context, topics []*Topic, errs []error, batch []int) {
	fail := func(i int, err error) { topics[i], errs[i] = nil, err }
	created, err := c.storeCreated(ctx, topics, batch)
	if err != nil {
		for _, i := range batch {
			fail(i, err)
		}
		return
	}
	ctx = context.WithoutCancel(ctx) // a client that goes away must not leave half of it
	var undone []meta.Op
	var opened []*Topic
	for at, err := range c.applier.Created(ctx, created) {
		i := batch[at]
		if err == nil {
			opened = append(opened, topics[i])
			continue
		}
		undone = append(undone, meta.Op{Key: topicPrefix + topics[i].Name})
		fail(i, fmt.Errorf("open the partitions of %s: %w", topics[i].Name, err))
	}
	if len(undone) > 0 {
		if _, err := c.store.Txn(ctx, nil, undone); err != nil {
			for _, i := range batch {
				if errs[i] != nil {
					errs[i] = errors.Join(errs[i], err)
				}
			}
		}
	}
	c.current.Store(c.Snapshot().edit(func(s *Snapshot) {
		for _, t := range opened {
			s.put(t)
		}
	}))
}

func (c *Catalog) storeCreated(ctx context.Context, topics []*Topic, batch []int) (created []Created, err error) {
	conds, ops := make([]meta.Cond, 0, len(batch)), make([]meta.Op, 0, len(batch))
	for _, i := range batch {
		t := topics[i]
		raw, err := json.Marshal(t.record())
		if err != nil {
			return nil, fmt.Errorf("encode topic %s: %w", t.Name, err)
		}
		conds = append(conds, meta.Cond{Key: topicPrefix + t.Name})
		ops = append(ops, meta.Op{Key: topicPrefix + t.Name, Value: raw})
		created = append(created, Created{Topic: t, LeaderEpoch: c.Snapshot().LeaderEpoch(t)})
	}
	if _, err := c.store.Txn(ctx, conds, ops); err != nil {
		return nil, fmt.Errorf("store topics: %w", err)
	}
	return created, nil
}

func (t *Topic) record() topicRecord {
	return topicRecord{ID: t.ID.String(), Partitions: t.Partitions, Config: t.Overrides, Born: t.Born}
}

// DeleteTopics deletes topics. When it returns, their names are free. The topics that
// it returns are those as they were.
func (c *Catalog) DeleteTopics(ctx context.Context, ids []topic.ID) ([]*Topic, []error) {
	defer c.takeTurn()()
	topics, errs := make([]*Topic, len(ids)), make([]error, len(ids))
	now := c.Snapshot()
	var there []int
	for i, id := range ids {
		if topics[i] = now.TopicByID(id); topics[i] == nil {
			errs[i] = kerr.UnknownTopicID
			continue
		}
		there = append(there, i)
	}
	for batch := range slices.Chunk(there, topicsPerTxn) {
		c.deleteAll(ctx, topics, errs, batch)
	}
	return topics, errs
}

// deleteAll deletes those topics whose indexes it is given.
func (c *Catalog) deleteAll(ctx context.Context, topics []*Topic, errs []error, batch []int) {
	var ops []meta.Op
	var gone []*Topic
	for _, i := range batch {
		ops, gone = append(ops, meta.Op{Key: topicPrefix + topics[i].Name}), append(gone, topics[i])
	}
	if _, err := c.store.Txn(ctx, nil, ops); err != nil {
		for _, i := range batch {
			errs[i] = fmt.Errorf("delete topic %s: %w", topics[i].Name, err)
		}
		return
	}
	c.current.Store(c.Snapshot().edit(func(s *Snapshot) {
		for _, t := range gone {
			s.remove(t)
		}
	}))
	for at, err := range c.applier.Deleted(context.WithoutCancel(ctx), gone) {
		errs[batch[at]] = err
	}
}

// AddPartitions grows a topic to a number of partitions.
func (c *Catalog) AddPartitions(ctx context.Context, name string, count int32, validateOnly bool) error {
	defer c.takeTurn()()
	now := c.Snapshot()
	t := now.Topic(name)
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
	case validateOnly:
		return nil
	}
	grown := *t
	grown.Partitions = count
	if err := c.replaceTopic(ctx, &grown); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := c.applier.Created(ctx, []Created{{&grown, t.Partitions, now.LeaderEpoch(t)}})[0]; err != nil {
		return errors.Join(fmt.Errorf("open new partitions of %s: %w", name, err), c.replaceTopic(ctx, t))
	}
	c.current.Store(now.edit(func(s *Snapshot) { s.put(&grown) }))
	return nil
}

func (c *Catalog) replaceTopic(ctx context.Context, t *Topic) error {
	e, err := c.store.Get(ctx, topicPrefix+t.Name)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", t.Name, err)
	}
	return c.put(ctx, e, topicPrefix+t.Name, t.record())
}

// AlterTopic replaces the configs set for a topic by what change makes of them.
func (c *Catalog) AlterTopic(ctx context.Context, name string, change func(effective func(string) string, set map[string]string) error, validateOnly bool) error {
	defer c.takeTurn()()
	now := c.Snapshot()
	t := now.Topic(name)
	if t == nil {
		return kerr.UnknownTopicOrPartition
	}
	altered := *t
	altered.Overrides = maps.Clone(t.Overrides)
	if altered.Overrides == nil {
		altered.Overrides = map[string]string{}
	}
	if err := change(now.Layers(t).TopicValue, altered.Overrides); err != nil {
		return err
	}
	if err := now.Layers(&altered).ValidateTopic(); err != nil {
		return refuse(kerr.InvalidConfig, "%s", err.Error())
	}
	altered.Config = now.Layers(&altered).TopicConfig()
	if validateOnly {
		return nil
	}
	if err := c.replaceTopic(ctx, &altered); err != nil {
		return err
	}
	c.current.Store(now.edit(func(s *Snapshot) { s.put(&altered) }))
	c.applier.Changed(&altered)
	return nil
}

// AlterBroker replaces configs set at run time, for this broker or, if cluster,
// for every broker.
func (c *Catalog) AlterBroker(ctx context.Context, cluster bool, change func(effective func(string) string, set map[string]string) error, validateOnly bool) error {
	defer c.takeTurn()()
	now := c.Snapshot()
	key, set := c.brokers, maps.Clone(now.dynamic)
	if cluster {
		key, set = clusterKey, maps.Clone(now.cluster)
	}
	effective := func(name string) string {
		v, _ := now.Layers(nil).BrokerValue(name)
		return v
	}
	if err := change(effective, set); err != nil || validateOnly {
		return err
	}
	if err := c.replaceConfig(ctx, key, set); err != nil {
		return err
	}
	var changed []*Topic
	c.current.Store(now.edit(func(s *Snapshot) {
		if cluster {
			s.cluster = set
		} else {
			s.dynamic = set
		}
		changed = s.resetConfigs(now)
	}))
	for _, t := range changed {
		c.applier.Changed(t)
	}
	return nil
}

// AlterGroup replaces the configs set for a group.
func (c *Catalog) AlterGroup(ctx context.Context, name string, change func(effective func(string) string, set map[string]string) error, validateOnly bool) error {
	defer c.takeTurn()()
	now := c.Snapshot()
	set := maps.Clone(now.groups[name])
	if set == nil {
		set = map[string]string{}
	}
	effective := func(key string) string {
		for _, e := range config.GroupEntries(set) {
			if e.Name == key && e.Value != nil {
				return *e.Value
			}
		}
		return ""
	}
	if err := change(effective, set); err != nil || validateOnly {
		return err
	}
	if err := c.replaceConfig(ctx, groupPrefix+name, set); err != nil {
		return err
	}
	c.current.Store(now.edit(func(s *Snapshot) {
		s.groups = maps.Clone(s.groups)
		if len(set) == 0 {
			delete(s.groups, name)
			return
		}
		s.groups[name] = set
	}))
	return nil
}

// replaceConfig stores configs; none left removes the key.
func (c *Catalog) replaceConfig(ctx context.Context, key string, set map[string]string) error {
	if len(set) == 0 {
		if _, err := c.store.Txn(ctx, nil, []meta.Op{{Key: key}}); err != nil {
			return fmt.Errorf("remove %s: %w", key, err)
		}
		return nil
	}
	e, err := c.store.Get(ctx, key)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return c.put(ctx, e, key, set)
}

// producerIDs hands out producer IDs from blocks. A block is taken from the store
// before its first ID is given, so an ID is never given twice.
type producerIDs struct{ next, end int64 }

const (
	pidKey   = "pid"
	pidBlock = 1000
)

// ProducerID returns an ID that no producer ever had.
func (c *Catalog) ProducerID(ctx context.Context) (int64, error) {
	defer c.takeTurn()()
	if c.pids.next == c.pids.end {
		e, err := c.store.Get(ctx, pidKey)
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return 0, fmt.Errorf("read producer IDs: %w", err)
		}
		first := int64(0)
		if e.Revision != 0 {
			if first, err = strconv.ParseInt(string(e.Value), 10, 64); err != nil {
				return 0, fmt.Errorf("read producer IDs: %w", err)
			}
		}
		if err := c.put(ctx, e, pidKey, first+pidBlock); err != nil {
			return 0, err
		}
		c.pids = producerIDs{first, first + pidBlock}
	}
	id := c.pids.next
	c.pids.next++
	return id, nil
}
