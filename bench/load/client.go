package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// payloads is how many different values there are; the records use them in turn.
const payloads = 64

// producerOptions returns the client options for a producer with these options.
func (o *Options) producerOptions() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.seeds()...), kgo.DefaultProduceTopic(o.Topic), kgo.ProducerLinger(o.Linger), kgo.ProducerBatchMaxBytes(int32(o.Batch)), //nolint:gosec // a batch is far smaller
		kgo.MaxBufferedRecords(200_000), kgo.RecordPartitioner(kgo.UniformBytesPartitioner(o.Batch, true, true, nil)),
	}
	switch o.Acks {
	case "all":
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, fmt.Errorf("no acks %q", o.Acks)
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(), "snappy": kgo.SnappyCompression(), "gzip": kgo.GzipCompression(),
	}
	codec, ok := codecs[o.Compression]
	if !ok {
		return nil, fmt.Errorf("no compression %q", o.Compression)
	}
	return append(opts, kgo.ProducerBatchCompression(codec)), nil
}

// values returns payloads of random text of 48 letters. A codec finds little to
// compress in one of them, and finds the same one again 64 records later.
func values(size int) [][]byte {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789 {}:\",ABCDEF"
	all := make([][]byte, payloads)
	for i := range all {
		all[i] = make([]byte, size)
		for j := range all[i] {
			all[i][j] = letters[rand.IntN(len(letters))] //nolint:gosec // a payload, not a secret
		}
	}
	return all
}

// createTopics deletes the topics if they exist, creates them, and returns when
// every partition answers with its log end offset.
func (o *Options) createTopics(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(o.seeds()...))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(120_000)
	names := o.names()
	if _, err := admin.DeleteTopics(ctx, names...); err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for _, name := range names { // one request each: a request for thousands of partitions is too large for a controller
		create := func() error {
			_, err := admin.CreateTopic(ctx, int32(o.Partitions), 1, nil, name) //nolint:gosec // a small number
			return err
		}
		if err := again(ctx, create, kerr.TopicAlreadyExists); err != nil { // the deletion is not finished yet
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
	_, err = waitServed(ctx, client, names, o.Partitions)
	return err
}

// Create creates the topics of the options, and first deletes existing ones, as
// every load with Fresh does.
func Create(ctx context.Context, o Options) error { return o.createTopics(ctx) }

// Served waits until every partition of the options' topics answers with its log
// end offset. It returns the sum of those offsets, which is the number of records.
func Served(ctx context.Context, o Options) (int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(o.seeds()...))
	if err != nil {
		return 0, fmt.Errorf("make client: %w", err)
	}
	defer client.Close()
	return waitServed(ctx, client, o.names(), o.Partitions)
}

func waitServed(ctx context.Context, client *kgo.Client, topics []string, partitions int) (records int64, err error) {
	admin := kadm.NewClient(client)
	err = again(ctx, func() error {
		ends, err := admin.ListEndOffsets(ctx, topics...)
		if err != nil {
			return fmt.Errorf("list end offsets: %w", err)
		}
		if err := ends.Error(); err != nil {
			return fmt.Errorf("list end offsets: %w", err)
		}
		n := 0
		records = 0
		ends.Each(func(end kadm.ListedOffset) {
			n++
			records += end.Offset
		})
		if want := len(topics) * partitions; n != want {
			return fmt.Errorf("%d of %d partitions: %w", n, want, kerr.UnknownTopicOrPartition)
		}
		return nil
	}, nil)
	return records, err
}

// again calls f every 20 ms until it returns no error, or an error that Kafka does
// not call retriable and that is not the given one.
func again(ctx context.Context, f func() error, but error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil || (!kerr.IsRetriable(rootOf(err)) && (but == nil || !errors.Is(err, but))) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// rootOf returns the Kafka error in err, or else err.
func rootOf(err error) error {
	if known, ok := errors.AsType[*kerr.Error](err); ok {
		return known
	}
	return err
}

// pause waits for a time that is part of the measurement or lets it begin at rest.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
