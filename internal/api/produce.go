package api

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// Produce, key 0, versions 3-13; 0-2 are advertised for old librdkafka.
//
// 5 adds the log start offset; 7 zstd; 8 record errors and a message; 9 is flexible; 10
// adds leader hints (KIP-951); 12 implicit transactions (KIP-890); 13 topic IDs.
//
// All partitions of a request are checked before the first batch is appended. Bytes
// that cannot be a record batch fail the whole request; otherwise the partitions are
// independent. The answer is sent when the last batch is durable, with acks=1 as with
// acks=all, because there is one replica. With acks=0 there is no answer: if the
// request fails, the connection is closed so that the client refreshes its metadata.
//
// If some batches are not durable within the request's timeout, the answer says
// REQUEST_TIMED_OUT for these. Their appends go on: if an idempotent producer sends
// such a batch again, both get the outcome of the first append.

// produceRequest collects the results of one request.
type produceRequest struct {
	b       *Broker
	r       *wire.Request
	resp    *kmsg.ProduceResponse
	acks    int16
	batches []batchFor

	mu       sync.Mutex // guards what follows, and resp until it is sent
	waiting  int        // batches without an outcome, and one more while batches are being appended
	failed   bool
	answered bool
	timer    *time.Timer
}

// batchFor is one partition of a request.
type batchFor struct {
	topic *catalog.Topic
	part  *partition.Partition
	batch record.Batch
	at    *kmsg.ProduceResponseTopicPartition
	err   error
	done  bool
}

func (b *Broker) produce(r *wire.Request, q *kmsg.ProduceRequest) {
	resp := kmsg.NewPtrProduceResponse()
	p := &produceRequest{b: b, r: r, resp: resp, acks: q.Acks}
	batches, corrupt := p.gather(q)
	p.batches = batches
	if corrupt != nil {
		for i := range batches {
			batches[i].err = corrupt
		}
	}
	p.waiting = len(batches) + 1
	r.HoldFrame() // the batches are in the frame, and the answer may be sent while they are appended
	p.startTimer(time.Duration(q.TimeoutMillis) * time.Millisecond)
	for i := range batches {
		e := &batches[i]
		if e.err != nil {
			p.done(e, partition.Appended{}, e.err)
			continue
		}
		e.part.Append(e.batch, func(a partition.Appended, err error) { p.done(e, a, err) })
		e.batch = nil
	}
	r.ReleaseFrame() // the log has copied the batches
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finishOne()
}

// gather resolves and checks every partition of a request. If corrupt is not nil, it is
// the error of all partitions.
func (p *produceRequest) gather(q *kmsg.ProduceRequest) (batches []batchFor, corrupt error) {
	q.Topics = mergeTopics(q.Topics)
	n := 0
	for i := range q.Topics {
		n += len(q.Topics[i].Partitions)
	}
	batches = make([]batchFor, 0, n)
	s := p.b.Catalog.Snapshot()
	p.resp.Topics = make([]kmsg.ProduceResponseTopic, len(q.Topics))
	for i := range q.Topics {
		qt := &q.Topics[i]
		rt := &p.resp.Topics[i]
		rt.Topic, rt.TopicID = strings.Clone(qt.Topic), qt.TopicID
		parts := lastOfEach(qt.Partitions)
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(parts))
		for j := range parts {
			rp := &rt.Partitions[j]
			rp.Default()
			rp.Partition = parts[j].Partition
			e := batchFor{at: rp}
			e.topic, e.part, e.err = p.b.find(s, qt.Topic, topic.ID(qt.TopicID), q.Version >= 13, rp.Partition)
			if e.err == nil {
				e.batch, e.err = p.check(q, e.topic, parts[j].Records)
			}
			if transactional(parts[j].Records) {
				corrupt = notTransactional(q, corrupt)
			} else if errors.Is(e.err, record.ErrCorrupt) && corrupt == nil {
				corrupt = kerr.CorruptMessage
			}
			batches = append(batches, e)
		}
	}
	return batches, corrupt
}

// mergeTopics moves the partitions of a topic that is listed again to the end of its
// first entry.
func mergeTopics(topics []kmsg.ProduceRequestTopic) []kmsg.ProduceRequestTopic {
	if len(topics) <= 1 {
		return topics
	}
	places := make(map[partKey]int, len(topics))
	merged := topics[:0]
	for _, t := range topics {
		key := partKey{name: t.Topic, id: t.TopicID}
		if at, twice := places[key]; twice {
			merged[at].Partitions = append(merged[at].Partitions, t.Partitions...)
			continue
		}
		places[key] = len(merged)
		merged = append(merged, t)
	}
	return merged
}

// lastOfEach drops all but the last entry of a partition that is listed twice.
func lastOfEach(parts []kmsg.ProduceRequestTopicPartition) []kmsg.ProduceRequestTopicPartition {
	if len(parts) <= 1 {
		return parts
	}
	last := make(map[int32]int, len(parts))
	for i := range parts {
		last[parts[i].Partition] = i
	}
	if len(last) == len(parts) {
		return parts
	}
	kept := parts[:0]
	for i := range parts {
		if last[parts[i].Partition] == i {
			kept = append(kept, parts[i])
		}
	}
	return kept
}

func transactional(records []byte) bool {
	return len(records) >= record.HeaderSize && record.Batch(records).Transactional()
}

// notTransactional returns the error for transactional batches: transactions are not
// served, and without a transactional ID such batches are not allowed at all.
func notTransactional(q *kmsg.ProduceRequest, corrupt error) error {
	if q.TransactionID == nil {
		return kerr.TransactionalIDAuthorizationFailed
	}
	if corrupt != nil {
		return corrupt
	}
	return kerr.InvalidTxnState
}

// adminClientID is the client ID that may write to internal topics, as in Kafka.
const adminClientID = "__admin_client"

// check makes a batch of a partition's record bytes.
func (p *produceRequest) check(q *kmsg.ProduceRequest, t *catalog.Topic, records []byte) (record.Batch, error) {
	if q.Acks < -1 || q.Acks > 1 {
		return nil, kerr.InvalidRequiredAcks
	}
	if topic.IsInternal(t.Name) && p.r.ClientID != adminClientID {
		return nil, kerr.InvalidTopicException
	}
	if q.Version < 7 && len(records) >= record.HeaderSize && record.Batch(records).Codec() == record.Zstd {
		return nil, kerr.UnsupportedCompressionType
	}
	r := rules(&t.Config, p.b.Now().UnixMilli())
	r.FramingOnly = p.b.Config.FramingOnly
	return record.Check(records, r)
}

// rules returns the rules that a topic's configs set for batches.
func rules(c *config.Topic, now int64) record.Rules {
	r := record.Rules{
		MaxBytes: int(c.MaxMessageBytes), Compacted: c.CleanupCompact, LogAppendTime: c.LogAppendTime,
		Now: now, BeforeMax: c.TimestampBeforeMaxMs, AfterMax: c.TimestampAfterMaxMs,
	}
	if c.CompressionType != "producer" && c.CompressionType != "" {
		codec, err := record.ParseCodec(c.CompressionType)
		r.Forced, r.Force = err == nil, codec
		switch codec {
		case record.Gzip:
			r.Level = c.GzipLevel
		case record.LZ4:
			r.Level = c.LZ4Level
		case record.Zstd:
			r.Level = c.ZstdLevel
		case record.None, record.Snappy:
		}
	}
	return r
}

// done records the result of one partition.
func (p *produceRequest) done(e *batchFor, a partition.Appended, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered {
		return
	}
	e.done = true
	if err != nil {
		p.refuse(e, err)
	} else {
		e.at.BaseOffset, e.at.LogAppendTime = a.BaseOffset, a.AppendTime
		e.at.LogStartOffset = e.part.LogStartOffset()
	}
	p.finishOne()
}

// startTimer bounds how long the answer may take. The timer runs before the batches are
// appended, because a disk may block even the write.
func (p *produceRequest) startTimer(timeout time.Duration) {
	if timeout <= 0 || p.acks == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(timeout, p.expire)
}

// expire answers with the results so far.
func (p *produceRequest) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered {
		return
	}
	for i := range p.batches {
		if e := &p.batches[i]; !e.done {
			p.refuse(e, kerr.RequestTimedOut)
		}
	}
	p.answer()
}

// refuse records an error. The caller of refuse, finishOne, answer and nameLeaders
// holds mu.
func (p *produceRequest) refuse(e *batchFor, err error) {
	p.failed = true
	e.at.BaseOffset, e.at.LogAppendTime, e.at.LogStartOffset = -1, -1, -1
	e.at.ErrorCode = p.b.code(p.r, err)
	if e.at.ErrorCode == kerr.KafkaStorageError.Code && p.r.Version < 4 {
		e.at.ErrorCode = kerr.NotLeaderForPartition.Code
	}
	var refusal *record.RefusedError
	if !errors.As(err, &refusal) {
		return
	}
	if refusal.Code != kerr.MessageTooLarge && refusal.Code != kerr.CorruptMessage {
		e.at.LogStartOffset = e.part.LogStartOffset()
	}
	place := fmt.Sprintf("%s-%d", e.topic.Name, e.at.Partition)
	e.at.ErrorMessage = new(refusal.MessageIn(place))
	for _, fault := range refusal.Faults {
		re := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		re.RelativeOffset, re.ErrorMessage = fault.Index, new(fault.MessageIn(place))
		e.at.ErrorRecords = append(e.at.ErrorRecords, re)
	}
}

// finishOne answers when the last partition is done, unless the timer has answered
// before.
func (p *produceRequest) finishOne() {
	if p.waiting--; p.waiting == 0 && !p.answered {
		p.answer()
	}
}

func (p *produceRequest) answer() {
	p.answered = true
	if p.timer != nil {
		p.timer.Stop()
	}
	switch {
	case p.acks != 0:
		p.nameLeaders()
		p.r.Reply(p.resp)
	case p.failed:
		p.r.Hangup()
	default:
		p.r.Skip()
	}
}

// leaderHintsVersion is the first version of Produce whose answer can name leaders.
const leaderHintsVersion = 10

// nameLeaders adds the leaders of partitions that are led elsewhere.
func (p *produceRequest) nameLeaders() {
	if p.r.Version < leaderHintsVersion || !p.failed {
		return
	}
	var h hints
	for i := range p.batches {
		e := &p.batches[i]
		if e.at.ErrorCode != kerr.NotLeaderForPartition.Code {
			continue
		}
		if leader, ok := h.hint(p.b, p.r, e.topic, e.at.Partition); ok {
			e.at.CurrentLeader.LeaderID, e.at.CurrentLeader.LeaderEpoch = leader.Node.ID, leader.Epoch
		}
	}
	for _, n := range h.nodes {
		rb := kmsg.NewProduceResponseBroker()
		rb.NodeID, rb.Host, rb.Port, rb.Rack = n.ID, n.at.Host, n.at.Port, n.Rack
		p.resp.Brokers = append(p.resp.Brokers, rb)
	}
}
