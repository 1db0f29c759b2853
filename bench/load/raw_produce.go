package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

// rawProduce sends Produce requests that were made before the time begins. A request
// has a batch for each partition of its connection, each as large as it may be, as a
// client makes them that has enough to send. The batches have no producer: there is no
// idempotence. Partitions get the same number of records, or one more.
func rawProduce(ctx context.Context, o *Options) (Result, error) {
	if err := o.checkRaw(); err != nil {
		return nil, err
	}
	acks, ok := map[string]int16{"all": -1, "1": 1}[o.Acks]
	if !ok {
		return nil, fmt.Errorf("no acks %q", o.Acks)
	}
	if o.Fresh {
		if err := o.createTopics(ctx); err != nil {
			return nil, err
		}
	}
	requests := requestMaker{o: o, acks: acks, values: values(o.Size), now: time.Now().UnixMilli()}
	plans := map[int32]*rawPlan{}
	for first := range int32(min(rawConnections, o.Partitions)) { //nolint:gosec // a small number
		plans[first] = requests.plan(first)
	}
	var records atomic.Int64
	m := newMeter(o.PID)
	err := o.eachConn(ctx, func(c *rawConn, partitions []int32) error {
		n, err := plans[partitions[0]].send(c)
		records.Add(n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("after %d of %d records: %w", records.Load(), o.Records, err)
	}
	if got := records.Load(); got != o.Records {
		return nil, fmt.Errorf("%d of %d records were answered", got, o.Records)
	}
	return m.done(records.Load(), records.Load()*int64(o.Size)), nil
}

// requestMaker makes Produce requests.
type requestMaker struct {
	o         *Options
	acks      int16
	values    [][]byte // the records get them in turn
	nextValue int      // how many have been used
	now       int64    // timestamp of the records
}

// rawPlan is what one connection sends.
type rawPlan struct {
	whole   [][]byte // requests with the largest batches, sent in turn
	turns   int      // how many of them are sent
	rest    []byte   // the last request
	records [2]int64 // of a whole request, and of the last one, by kind
	batches [2]int32 // likewise
}

// plan makes the requests of the connection whose first partition is given.
func (m *requestMaker) plan(first int32) *rawPlan {
	perBatch := m.recordsPerBatch()
	var plan rawPlan
	var full, last []int
	var partitions []int32
	plan.turns = int(m.o.Records/int64(m.o.Partitions)) / perBatch
	for p := int(first); p < m.o.Partitions; p += rawConnections {
		share := m.o.Records / int64(m.o.Partitions)
		if int64(p) < m.o.Records%int64(m.o.Partitions) {
			share++
		}
		partitions = append(partitions, int32(p)) //nolint:gosec // a small number
		full = append(full, perBatch)
		last = append(last, int(share)-plan.turns*perBatch)
	}
	for range min(rawFrames, plan.turns) {
		var whole []byte
		whole, plan.records[wholeRequest], plan.batches[wholeRequest] = m.makeRequest(partitions, full)
		plan.whole = append(plan.whole, whole)
	}
	plan.rest, plan.records[lastRequest], plan.batches[lastRequest] = m.makeRequest(partitions, last)
	return &plan
}

// recordsPerBatch returns how many records the largest batches have.
func (m *requestMaker) recordsPerBatch() int {
	const overhead = 12 // bytes of a record besides its value at most, since there are less than 8,192 records in a batch
	return max(1, min(8191, (m.o.Batch-record.HeaderSize)/(m.o.Size+overhead)))
}

// makeRequest makes a request with a batch of records[i] records for partitions[i], or none
// if that is 0. It also returns how many records and batches the request has in all.
func (m *requestMaker) makeRequest(partitions []int32, records []int) (request []byte, sum int64, batches int32) {
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = m.o.Topic
	for i, p := range partitions {
		if records[i] == 0 {
			continue
		}
		part := kmsg.NewProduceRequestTopicPartition()
		part.Partition, part.Records = p, m.batch(records[i])
		topic.Partitions = append(topic.Partitions, part)
		sum += int64(records[i])
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = produceVersion, m.acks, 30_000
	req.Topics = []kmsg.ProduceRequestTopic{topic}
	return frame(req, 0), sum, int32(len(topic.Partitions)) //nolint:gosec // a small number
}

// batch makes a batch of n records.
func (m *requestMaker) batch(n int) []byte {
	all := make([]record.KeyValue, n)
	for i := range all {
		all[i].Value = m.values[m.nextValue%payloads]
		m.nextValue++
	}
	return record.Build(m.now, all...)
}

// send sends the requests, and some of them before the earlier ones are answered. It
// returns how many records were acknowledged.
func (plan *rawPlan) send(c *rawConn) (records int64, err error) {
	sent := make(chan int, rawInFlight-1) // the reader has one more
	failed := make(chan struct{})
	answered := make(chan error, 1)
	go func() {
		defer close(failed)
		var err error
		records, err = plan.readAnswers(c, sent)
		if err != nil {
			_ = c.Close() // the sender may wait for the broker
		}
		answered <- err
	}()
	sendErr := plan.sendRequests(c, sent, failed)
	if err := <-answered; err != nil {
		return records, err
	}
	return records, sendErr
}

// Kinds of requests.
const (
	wholeRequest = iota
	lastRequest
)

// sendRequests sends the requests until one of them has failed. Before it sends one, it
// sends its kind to the channel.
func (plan *rawPlan) sendRequests(c *rawConn, sent chan<- int, failed <-chan struct{}) error {
	defer close(sent)
	for id := range plan.turns + 1 {
		kind, bytes := lastRequest, plan.rest
		if id < plan.turns {
			kind, bytes = wholeRequest, plan.whole[id%len(plan.whole)]
		}
		if plan.batches[kind] == 0 {
			return nil
		}
		select {
		case sent <- kind:
		case <-failed:
			return nil
		}
		setCorrelation(bytes, int32(id)) //nolint:gosec // far less than 2^31
		if _, err := c.Write(bytes); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// readAnswers reads an answer to each request that was sent.
func (plan *rawPlan) readAnswers(c *rawConn, sent <-chan int) (records int64, err error) {
	id := int32(0)
	for kind := range sent {
		if err := plan.readAnswer(c, id, kind); err != nil {
			return records, err
		}
		records += plan.records[kind]
		id++
	}
	return records, nil
}

// readAnswer reads the answer to a request. Each batch must have been stored.
func (plan *rawPlan) readAnswer(c *rawConn, id int32, kind int) error {
	c.begin(id)
	var stored int32
	for range c.count() { // topics
		c.skipString()
		for range c.count() { // partitions
			c.int32()
			c.code("produce")
			c.skip(8 + 8 + 8) // base offset, append time, log start offset
			if n := c.count(); n != 0 && c.err == nil {
				c.err = fmt.Errorf("%d records were refused", n)
			}
			c.skipString() // error message
			if stored++; c.err != nil {
				return c.err
			}
		}
	}
	c.int32() // throttle time
	if err := c.end(); err != nil {
		return err
	}
	if stored != plan.batches[kind] {
		return fmt.Errorf("%d of %d batches were answered", stored, plan.batches[kind])
	}
	return nil
}
