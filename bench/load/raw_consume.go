package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/record"
)

// What a Fetch request asks for: the defaults of Kafka's consumer.
const (
	fetchBytes     = 50 << 20
	partitionBytes = 1 << 20
	fetchWaitMS    = 500
)

// rawConsume fetches a topic from its beginning to its end, and throws the records
// away. It looks only at the batch headers: the offsets must follow each other, and
// there must be as many records as were asked for. It has no fetch session, and one
// request in flight on each connection.
func rawConsume(ctx context.Context, o *Options) (Result, error) {
	if err := o.checkRaw(); err != nil {
		return nil, err
	}
	var records atomic.Int64
	m := newMeter(o.PID)
	err := o.eachConn(ctx, func(c *rawConn, partitions []int32) error {
		r := rawReader{conn: c, topic: o.Topic, wanted: partitions, at: map[int32]int64{}}
		err := r.read()
		records.Add(r.records)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("after %d of %d records: %w", records.Load(), o.Records, err)
	}
	if got := records.Load(); got != o.Records {
		return nil, fmt.Errorf("the topic has %d records instead of %d", got, o.Records)
	}
	return m.done(records.Load(), records.Load()*int64(o.Size)), nil
}

// rawReader reads some partitions on one connection.
type rawReader struct {
	conn    *rawConn
	topic   string
	wanted  []int32         // partitions whose end is not reached
	at      map[int32]int64 // offset to fetch next, by partition
	records int64
}

// read reads until the ends of all partitions.
func (r *rawReader) read() error {
	for id := int32(0); len(r.wanted) > 0; id++ {
		if _, err := r.conn.Write(r.makeRequest(id)); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		asked, records := len(r.wanted), r.records
		r.wanted = r.wanted[:0]
		if err := r.readAnswer(id); err != nil {
			return err
		}
		if len(r.wanted) == asked && r.records == records {
			return errors.New("an answer has no records, but there are more")
		}
	}
	return nil
}

func (r *rawReader) makeRequest(id int32) []byte {
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = r.topic
	for _, p := range r.wanted {
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = p, r.at[p], partitionBytes
		topic.Partitions = append(topic.Partitions, part)
	}
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = fetchVersion, fetchWaitMS, 1, fetchBytes
	req.Topics = []kmsg.FetchRequestTopic{topic}
	return frame(req, id)
}

// readAnswer reads the answer to a request, and notes which partitions are to be fetched
// again.
func (r *rawReader) readAnswer(id int32) error {
	c := r.conn
	c.begin(id)
	c.int32() // throttle time
	c.code("fetch")
	c.int32() // session
	for range c.count() {
		c.skipString() // topic
		for range c.count() {
			p := c.int32()
			c.code("fetch")
			highWatermark := c.int64()
			c.skip(8 + 8)                  // last stable offset, log start offset
			c.skip(int(c.count()) * 2 * 8) // aborted transactions
			c.int32()                      // preferred replica
			next, records := c.batches(r.at[p])
			if c.err != nil {
				return fmt.Errorf("partition %d: %w", p, c.err)
			}
			r.at[p] = next
			r.records += records
			if next < highWatermark {
				r.wanted = append(r.wanted, p)
			}
		}
	}
	return c.end()
}

// batches reads the records of a partition, and returns how many there are and the
// offset behind them. The last batch may be cut off, and then it does not count.
func (c *rawConn) batches(offset int64) (next, records int64) {
	left := int(c.count())
	for left >= record.HeaderSize && c.err == nil {
		head := record.Batch(c.bytes(record.HeaderSize))
		size := record.Overhead + int(head.Length())
		left -= record.HeaderSize
		if c.err != nil || size-record.HeaderSize > left {
			break
		}
		if head.BaseOffset() != offset || head.NextOffset() <= offset || head.Magic() != record.Magic {
			c.err = fmt.Errorf("batch of offsets %d to %d instead of %d", head.BaseOffset(), head.LastOffset(), offset)
			break
		}
		offset = head.NextOffset()
		records += int64(head.Count())
		c.skip(size - record.HeaderSize)
		left -= size - record.HeaderSize
	}
	c.skip(left)
	return offset, records
}
