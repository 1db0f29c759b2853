package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends records as fast as the broker answers them. The client's buffer
// lets it run ahead by up to 200,000 records.
func produce(ctx context.Context, o *Options) (Result, error) {
	opts, err := o.producerOptions()
	if err != nil {
		return nil, err
	}
	if o.Fresh {
		if err := o.createTopics(ctx); err != nil {
			return nil, err
		}
	}
	all := values(o.Size)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var records, bytes atomic.Int64

	m := newMeter(o.PID)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	defer client.Close()
	answered := func(rec *kgo.Record, err error) {
		if err != nil {
			cancel(fmt.Errorf("produce: %w", err))
			return
		}
		records.Add(1)
		bytes.Add(int64(len(rec.Value)))
	}
	for i := range o.Records {
		client.Produce(ctx, &kgo.Record{Value: all[i%payloads]}, answered)
	}
	if err := client.Flush(ctx); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	client.Close()
	if got := records.Load(); got != o.Records {
		return nil, fmt.Errorf("%d of %d records were answered: %w", got, o.Records, context.Cause(ctx))
	}
	return m.done(records.Load(), bytes.Load()), nil
}

// consume reads the wanted number of records from the beginning of the topic.
func consume(ctx context.Context, o *Options) (Result, error) {
	m := newMeter(o.PID)
	client, err := kgo.NewClient(kgo.SeedBrokers(o.seeds()...), kgo.ConsumeTopics(o.Topic), kgo.FetchMaxBytes(50<<20), kgo.FetchMaxPartitionBytes(4<<20),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	defer client.Close()
	var records, bytes int64
	for records < o.Records {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", records, o.Records, err)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, rec := range p.Records {
				bytes += int64(len(rec.Value))
			}
			records += int64(len(p.Records))
		})
	}
	client.Close()
	return m.done(records, bytes), nil
}

// paced calls send for 0 up to n at a constant rate. After a late call, the calls
// that are due follow without a pause.
func paced(ctx context.Context, n int64, rate int, send func(i int64)) error {
	began := time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for i := range n {
		if d := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))); d > 0 {
			timer.Reset(d)
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-timer.C:
			}
		}
		send(i)
	}
	return nil
}
