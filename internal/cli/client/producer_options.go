package client

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ProducerOptions turns Kafka's producer settings into options of kgo.
func ProducerOptions(c *Settings) ([]kgo.Opt, error) {
	codec := c.choice("compression.type", "none", false, "none", "gzip", "snappy", "lz4", "zstd")
	acks := c.choice("acks", "all", false, "all", "-1", "0", "1")
	batch := c.Int("batch.size", 16384)
	opts := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs()[codec]),
		kgo.ProducerBatchMaxBytes(max(c.Int("max.request.size", 1<<20), 1024)),
		kgo.ProducerLinger(c.Millis("linger.ms", 5)),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(int(max(batch, 1)), true, !c.bool("partitioner.ignore.keys", false), nil)),
		kgo.MaxBufferedBytes(int(max(c.long("buffer.memory", 33554432), 1))),
		kgo.MaxBufferedRecords(1 << 20),
		kgo.RecordRetries(int(max(c.Int("retries", 1<<31-1), 1))),
		kgo.RecordDeliveryTimeout(max(c.Millis("delivery.timeout.ms", 120_000), time.Second)),
		kgo.ProduceRequestTimeout(max(c.Millis("request.timeout.ms", 30_000), 100*time.Millisecond)),
		kgo.AllowAutoTopicCreation(),
	}
	if id := c.Get("transactional.id", ""); id != "" {
		opts = append(opts, kgo.TransactionalID(id), kgo.TransactionTimeout(c.Millis("transaction.timeout.ms", 60_000)))
	}
	switch acks {
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	default:
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
		if !c.bool("enable.idempotence", true) {
			opts = append(opts, kgo.DisableIdempotentWrite())
		}
	}
	return opts, c.err
}

func codecs() map[string]kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
}
