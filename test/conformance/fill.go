package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file writes the data of internal/storage/commitlog/testdata through an empty broker, and records what a reader of its
// files must find.

// Found is what must be found in one data directory.
type Found struct {
	Partitions   []FoundPartition
	Offsets      []FoundOffset
	Groups       []FoundGroup
	Transactions []FoundTransaction
}

// FoundPartition is partition 0 of a topic.
type FoundPartition struct {
	Topic                        string
	TopicID                      string // hexadecimal
	LogStartOffset, LogEndOffset int64
	LastStableOffset             int64
	Aborted                      []FoundAborted `json:",omitempty"`
	Batches                      []FoundBatch
}

// FoundAborted is an entry of the transaction index that overlaps the log.
type FoundAborted struct{ ProducerID, FirstOffset int64 }

// FoundBatch is one stored batch.
type FoundBatch struct {
	BaseOffset, LastOffset    int64
	Attributes                int16
	ProducerID                int64
	ProducerEpoch             int16
	BaseSequence, LeaderEpoch int32
	BaseTimestamp, MaxTime    int64
	Size                      int
	Records                   []FoundRecord
}

// FoundRecord has key and value as base64, null where the record has null.
type FoundRecord struct {
	Offset, Timestamp int64
	Key, Value        []byte
	Headers           []kmsg.Header `json:",omitempty"`
}

// FoundOffset is a committed offset.
type FoundOffset struct {
	Group, Topic string
	Partition    int32
	Offset       int64
	LeaderEpoch  int32
	Metadata     string
	Unstable     bool // a transaction has a pending offset: OffsetFetch with require_stable answers 88
}

// FoundGroup is a group's state after loading.
type FoundGroup struct {
	Group, Type, State, ProtocolType string
	Members                          []string
	Epoch                            int32 // consumer groups
}

// FoundTransaction is a transactional id's state after loading.
type FoundTransaction struct {
	ID, State     string
	ProducerID    int64
	ProducerEpoch int16
	Topics        []string
}

const fillTime = 1700000000000 // time of the first record; all times are fixed except those of markers and LogAppendTime

func at(i int, key, value []byte) Record {
	return Record{Key: key, Value: value, Timestamp: fillTime + int64(i)*1000}
}

// goldenLogs runs a step with its own T.
func goldenLogs(step func(t *T)) error {
	t := &T{id: "golden-logs", serial: 1}
	defer t.closeConns()
	func() {
		defer t.recover()
		step(t)
	}()
	if t.failed {
		return fmt.Errorf("golden logs: %s", strings.Join(t.details, "; "))
	}
	return nil
}

// fill writes everything.
func (t *T) fill() {
	t.fillTopics()
	t.fillGroups()
	t.fillOpenTransaction()
}

// findAll records what the broker serves of what fill wrote, before or after a restart.
func (t *T) findAll(path string) {
	t.offsetsTopic()
	t.transactionTopic()
	var found Found
	all := ask(t, 12, kmsg.NewPtrMetadataRequest()).Topics
	sort.Slice(all, func(i, j int) bool { return *all[i].Topic < *all[j].Topic })
	for _, topic := range all {
		t.ready(Topic{Name: *topic.Topic}, 1)
		found.Partitions = append(found.Partitions, t.find(Topic{Name: *topic.Topic}))
	}
	found.Groups, found.Offsets = t.findGroups("group-simple", "group-classic", "group-empty", "group-consumer")
	for _, id := range []string{"txn-open", "txn-committed", "txn-aborted", "txn-empty"} {
		d := t.describeTxn(id)
		f := FoundTransaction{ID: id, State: d.State, ProducerID: d.ProducerID, ProducerEpoch: d.ProducerEpoch, Topics: []string{}}
		for _, topic := range d.Topics {
			f.Topics = append(f.Topics, topic.Topic)
		}
		found.Transactions = append(found.Transactions, f)
	}
	b, err := json.MarshalIndent(found, "", " ")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func (t *T) fillTopics() {
	keep := func(configs ...string) []string { return append(configs, "retention.ms=-1") }
	plain := t.topicNamed("plain", 1, keep()...)
	t.put(plain, batchFrom(at(0, []byte("k0"), []byte("v0"))))
	t.put(plain, batchFrom(at(1, nil, []byte("no key")), at(2, []byte("no value"), nil), at(3, []byte{}, []byte{})))
	h := at(4, []byte("headers"), []byte("x"))
	h.Headers = []kmsg.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "", Value: []byte{}}}
	t.put(plain, batchFrom(h))
	t.put(plain, batchFrom(at(9, []byte("later"), []byte("a")), at(5, []byte("earlier"), []byte("b"))))

	for _, codec := range []string{"gzip", "snappy", "lz4", "zstd"} {
		topic := t.topicNamed("codec-"+codec, 1, keep("compression.type="+codec)...)
		for b := range 3 {
			t.put(topic, batchFrom(at(b, []byte("k"), []byte(strings.Repeat(codec, 50))), at(b, nil, []byte("v"))))
		}
	}

	appendTime := t.topicNamed("log-append-time", 1, keep("message.timestamp.type=LogAppendTime")...)
	t.put(appendTime, batchFrom(at(0, nil, []byte("a")), at(1, nil, []byte("b"))))

	idempotent, pid := t.topicNamed("idempotent", 1, keep()...), t.producerID()
	for seq := range int32(8) {
		t.put(idempotent, batchFrom(at(int(seq), nil, fmt.Appendf(nil, "seq %d", seq))).From(pid, 0, seq))
	}
	t.put(idempotent, batchFrom(at(9, nil, []byte("epoch 1")), at(9, nil, []byte("epoch 1"))).From(pid, 1, 0))

	deleted := t.topicNamed("deleted-prefix", 1, keep()...)
	for i := range 5 {
		t.put(deleted, batchFrom(at(i, nil, []byte("a")), at(i, nil, []byte("b"))))
	}
	t.deleteRecords(deleted, 5)

	// A batch that is an hour later than the previous one starts a new segment.
	segments, pid := t.topicNamed("segments", 1, keep("segment.ms=1800000", "index.interval.bytes=100")...), t.producerID()
	for i := range 24 {
		when := i%4 + i/4*3600
		t.put(segments, batchFrom(at(when, fmt.Appendf(nil, "key %02d", i), []byte(strings.Repeat("x", 90)))).From(pid, 0, int32(i)))
	}
	for _, name := range []string{"torn", "corrupt"} { // generate.sh damages these after kill -9
		topic := t.topicNamed(name, 1, keep()...)
		for i := range 4 {
			t.put(topic, batchFrom(at(i, nil, fmt.Appendf(nil, "batch %d", i))))
		}
	}
	t.fillTransactions()
	t.fillCompacted()
}

func (t *T) named(id string) *txn {
	x := &txn{t: t, id: id}
	x.init()
	return x
}

func (t *T) fillTransactions() {
	topic := t.topicNamed("transactions", 1, "retention.ms=-1")
	a, b := t.named("txn-committed"), t.named("txn-aborted")
	t.named("txn-empty")
	t.put(topic, batchFrom(at(0, nil, []byte("outside"))))
	a.write(topic, "a1", "a2") // two transactions that overlap
	b.write(topic, "b1")
	a.add(topic)
	a.send(11, topic, "a3")
	b.must(3, false)
	t.Eventually("abort marker", 5*time.Second, func() bool { return t.endOffset(topic) == 6 })
	a.must(3, true, topic)
	for i := range 2 { // version 2: the epoch grows with each
		t.OK("produce", a.send(12, topic, fmt.Sprintf("tv2 %d", i)).ErrorCode)
		a.must(5, i == 0, topic)
	}
}

// fillOpenTransaction leaves a transaction open, with records and offsets.
func (t *T) fillOpenTransaction() {
	topic := t.topicNamed("open-transaction", 1, "retention.ms=-1")
	t.put(topic, batchFrom(at(0, nil, []byte("stable"))))
	x := t.named("txn-open")
	x.write(topic, "unstable")
	t.OK("add offsets", int16(x.addOffsets("group-simple")))
	t.OK("txn offset", int16(x.commitOffsets(3, "group-simple", topic, 99)))
}

func (t *T) fillCompacted() {
	topic := t.topicNamed("compacted", 1, "cleanup.policy=compact", "segment.ms=1800000", "min.cleanable.dirty.ratio=0.01", "delete.retention.ms=86400000")
	pid := t.producerID()
	hour, seq := 0, int32(0)
	put := func(records ...Record) {
		for i := range records {
			records[i].Timestamp = fillTime + int64(hour)*3600000
		}
		t.put(topic, batchFrom(records...).From(pid, 0, seq))
		seq += int32(len(records))
	}
	for hour = range 3 {
		for key := range 5 {
			put(at(0, fmt.Appendf(nil, "key %d", key), fmt.Appendf(nil, "hour %d", hour)), at(0, []byte("same"), fmt.Appendf(nil, "hour %d key %d", hour, key)))
		}
	}
	hour = 3
	put(at(0, []byte("key 1"), nil)) // a tombstone
	hour = 4
	put(at(0, []byte("key 2"), []byte("in the last but one segment")))
	hour = 5
	put(at(0, []byte("active"), []byte("the active segment is not cleaned")))
	t.Eventually("cleaned", 60*time.Second, func() bool { return len(t.read(topic)) < 12 })
	time.Sleep(time.Second)
}

func (t *T) fillGroups() {
	plain, seg := Topic{Name: "plain", ID: t.metadata("plain").TopicID}, Topic{Name: "segments", ID: t.metadata("segments").TopicID}
	t.coordinator("group-simple", 0)
	t.committed("group-simple", plain, 3)
	t.committed("group-simple", seg, 20)
	t.committed("group-simple", plain, 4)

	leader, _ := t.stablePair("group-classic")
	c := commitRequest("group-classic", plain, 2)
	c.MemberID, c.Generation = leader.id, leader.generation
	t.OK("commit", t.commit(8, c))

	gone := t.stable("group-empty")
	c = commitRequest("group-empty", plain, 1)
	c.MemberID, c.Generation = gone.id, gone.generation
	t.OK("commit", t.commit(8, c))
	t.OK("leave", ask(t, 5, leaveRequest("group-empty", gone.id)).Members[0].ErrorCode)

	next := t.consumer("group-consumer", plain, seg)
	next.joins()
	next.beats()
	c = commitRequest("group-consumer", seg, 11)
	c.MemberID, c.Generation = next.id, next.epoch
	t.OK("commit", t.commit(10, c))

	t.coordinator("group-share", 0)
	t.setGroupConfig("group-share", "share.auto.offset.reset", "earliest")
	s := t.sharerOf("group-share", plain)
	s.acquired()
	_, code := s.acknowledge(0, 0, ackAccept)
	t.OK("share acknowledge", int16(code))
}

func (t *T) findGroups(ids ...string) (groups []FoundGroup, offsets []FoundOffset) {
	for _, g := range ask(t, 5, kmsg.NewPtrListGroupsRequest()).Groups {
		f := FoundGroup{Group: g.Group, Type: g.GroupType, State: g.GroupState, ProtocolType: g.ProtocolType, Members: []string{}}
		for _, m := range t.describeGroup(5, g.Group).Members {
			f.Members = append(f.Members, m.MemberID)
		}
		if g.GroupType == "consumer" {
			d := t.describeConsumerGroup(g.Group)
			f.Epoch = d.Epoch
			for _, m := range d.Members {
				f.Members = append(f.Members, m.MemberID)
			}
		}
		groups = append(groups, f)
	}
	for _, id := range ids {
		req := offsetFetchRequest(9, id, Topic{})
		all := ask(t, 9, req).Groups[0]
		req.RequireStable = true
		unstable := map[string]bool{}
		for _, topic := range ask(t, 9, req).Groups[0].Topics {
			for _, p := range topic.Partitions {
				unstable[fmt.Sprint(topic.Topic, p.Partition)] = p.ErrorCode != 0
			}
		}
		for _, topic := range all.Topics {
			for _, p := range topic.Partitions {
				offsets = append(offsets, FoundOffset{id, topic.Topic, p.Partition, p.Offset, p.LeaderEpoch, *p.Metadata, unstable[fmt.Sprint(topic.Topic, p.Partition)]})
			}
		}
	}
	return groups, offsets
}

// find reads partition 0 as the broker serves it.
func (t *T) find(topic Topic) FoundPartition {
	f := FoundPartition{Topic: topic.Name, TopicID: fmt.Sprintf("%x", t.metadata(topic.Name).TopicID), Batches: []FoundBatch{}}
	f.LogStartOffset = t.offsetFor(7, topic, -2, 0).Offset
	f.LogEndOffset = t.offsetFor(7, topic, -1, 0).Offset
	f.LastStableOffset = t.offsetFor(7, topic, -1, 1).Offset
	for next := f.LogStartOffset; next < f.LogEndOffset; {
		p := t.fetch(topic, next, 0)
		batches := t.batches(p)
		if len(batches) == 0 {
			break
		}
		for _, b := range batches {
			f.Batches = append(f.Batches, foundBatch(b))
			next = b.BaseOffset + int64(b.LastOffsetDelta) + 1
		}
	}
	for _, a := range t.fetch(topic, f.LogStartOffset, 1).AbortedTransactions {
		f.Aborted = append(f.Aborted, FoundAborted{a.ProducerID, a.FirstOffset})
	}
	return f
}

func foundBatch(b Batch) FoundBatch {
	f := FoundBatch{
		BaseOffset: b.BaseOffset, LastOffset: b.BaseOffset + int64(b.LastOffsetDelta), Attributes: b.Attributes,
		ProducerID: b.ProducerID, ProducerEpoch: b.ProducerEpoch, BaseSequence: b.BaseSequence, LeaderEpoch: b.LeaderEpoch,
		BaseTimestamp: b.FirstTimestamp, MaxTime: b.MaxTimestamp, Size: b.Size, Records: []FoundRecord{},
	}
	for _, r := range b.Records {
		f.Records = append(f.Records, FoundRecord{b.BaseOffset + int64(r.Delta), r.Timestamp, r.Key, r.Value, r.Headers})
	}
	return f
}
