package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// arriveWithin is how long the last records may take to arrive.
const arriveWithin = 20 * time.Second

// endToEnd sends records at a constant rate, each with its time of sending, and
// measures when a consumer that polls continuously has received it.
func endToEnd(ctx context.Context, o *Options) (Result, error) {
	opts, err := o.producerOptions()
	if err != nil {
		return nil, err
	}
	if o.Fresh {
		if err := o.createTopics(ctx); err != nil {
			return nil, err
		}
	}
	want := int64(float64(o.Rate) * o.Time.Seconds())
	all := values(max(o.Size, 8))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	consumer, err := kgo.NewClient(kgo.SeedBrokers(o.seeds()...), kgo.ConsumeTopics(o.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMinBytes(1), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	defer consumer.Close()
	producer, err := kgo.NewClient(append(opts, kgo.ProducerLinger(0))...)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	defer producer.Close()

	arrived := make(chan received, 1)
	go func() { arrived <- receive(ctx, consumer, want) }()
	if err := pause(ctx, time.Second); err != nil { // until the consumer's fetches wait at the broker
		return nil, err
	}
	m := newMeter(o.PID)
	err = paced(ctx, want, o.Rate, func(i int64) {
		value := slices.Clone(all[i%payloads]) // the client uses it until it is answered
		binary.BigEndian.PutUint64(value, uint64(time.Now().UnixNano()))
		producer.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(fmt.Errorf("produce: %w", err))
			}
		})
	})
	if err == nil {
		err = producer.Flush(ctx)
	}
	if err == nil {
		timer := time.AfterFunc(arriveWithin, func() { cancel(errors.New("the last records do not arrive")) })
		defer timer.Stop()
	} else {
		cancel(err)
	}
	got := <-arrived
	if got.err != nil {
		return nil, errors.Join(context.Cause(ctx), got.err)
	}
	r := m.done(int64(len(got.latency)), got.bytes)
	r.addQuantiles(got.latency)
	return r, nil
}

// received is what a consumer saw: the latency of each record, in milliseconds, in
// the order of arrival.
type received struct {
	latency []float64
	bytes   int64
	err     error
}

// receive polls until the wanted number of records has come.
func receive(ctx context.Context, consumer *kgo.Client, want int64) received {
	got := received{latency: make([]float64, 0, want)}
	for int64(len(got.latency)) < want {
		fetches := consumer.PollFetches(ctx)
		now := time.Now().UnixNano()
		if err := fetches.Err(); err != nil {
			got.err = fmt.Errorf("after %d of %d records: %w", len(got.latency), want, err)
			return got
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			sent := int64(binary.BigEndian.Uint64(rec.Value)) //nolint:gosec // as it was written
			got.latency = append(got.latency, float64(now-sent)/1e6)
			got.bytes += int64(len(rec.Value))
		})
	}
	return got
}

// partitions sends one record to each partition in turn at a constant rate, so that
// each is its own batch, and measures when the broker has answered it.
func partitions(ctx context.Context, o *Options) (Result, error) {
	opts, err := o.producerOptions()
	if err != nil {
		return nil, err
	}
	if o.Fresh {
		if err := o.createTopics(ctx); err != nil {
			return nil, err
		}
	}
	producer, err := kgo.NewClient(append(opts, kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	defer producer.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	s := spread{o: o, producer: producer, all: values(o.Size), names: o.names(), failed: cancel}
	every := int64(o.Partitions * len(s.names))
	for i := range every { // each partition once, so that the client knows all of them and the broker has them open
		s.send(ctx, i)
	}
	if err := producer.Flush(ctx); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	s.latency = s.latency[:0]
	want := int64(float64(o.Rate) * o.Time.Seconds())
	m := newMeter(o.PID)
	if err := paced(ctx, want, o.Rate, func(i int64) { s.send(ctx, i) }); err != nil {
		return nil, err
	}
	if err := producer.Flush(ctx); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if int64(len(s.latency)) != want {
		return nil, fmt.Errorf("%d of %d records were answered: %w", len(s.latency), want, context.Cause(ctx))
	}
	r := m.done(want, want*int64(o.Size))
	r.addQuantiles(s.latency)
	return r, nil
}

// spread sends to all partitions of several topics in turn.
type spread struct {
	o        *Options
	producer *kgo.Client
	all      [][]byte
	names    []string
	failed   func(error)

	mu      sync.Mutex
	latency []float64 // milliseconds, in the order of answers
}

func (s *spread) send(ctx context.Context, i int64) {
	turn := int(i % int64(s.o.Partitions*len(s.names)))
	rec := &kgo.Record{Topic: s.names[turn/s.o.Partitions], Partition: int32(turn % s.o.Partitions), Value: s.all[i%payloads]} //nolint:gosec // a small number
	sent := time.Now()
	s.producer.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		took := time.Since(sent)
		if err != nil {
			s.failed(fmt.Errorf("produce: %w", err))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.latency = append(s.latency, float64(took)/1e6)
	})
}

// addQuantiles adds the distribution of latencies, without the first tenth, in
// which both sides warm up.
func (r Result) addQuantiles(latency []float64) {
	sorted := slices.Sorted(slices.Values(latency[len(latency)/10:]))
	if len(sorted) == 0 {
		return
	}
	at := func(q float64) float64 { return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))] }
	r[P50], r[P99], r[P999], r[Max] = at(.5), at(.99), at(.999), sorted[len(sorted)-1]
}
