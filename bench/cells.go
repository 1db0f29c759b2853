package main

import (
	"context"
	"fmt"
	"time"

	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
)

// Prefixes of the names in the result of a cell that does several things.
const (
	producePrefix = "produce_"
	consumePrefix = "consume_"
)

// sizes is how much each cell does.
type sizes struct {
	records   int64         // of 1 KiB
	raw       int64         // likewise, for the raw client
	latency   time.Duration // of each latency cell
	starts    int
	idle      time.Duration // from the start until idle memory is read
	conns     int
	groups    int
	partition int // number of partitions where there are many
	gigabytes int64
}

// groups returns all cells.
func groups(quick bool) []group {
	z := sizes{records: 1_250_000, raw: 3_500_000, latency: 12 * time.Second, starts: 5, idle: 5 * time.Second, conns: 1000, groups: 5000, partition: 10_000, gigabytes: 10}
	if quick {
		z.records, z.raw, z.latency, z.starts, z.idle = 500_000, 1_000_000, 5*time.Second, 3, 3*time.Second
	}
	return []group{
		{name: "unwarmed", cells: []cell{{
			name: "fresh", about: "as base, on a broker that has just been started", within: 3 * time.Minute,
			run: func(ctx context.Context, s *session) (load.Result, error) {
				return realClient.produceConsume(ctx, s, func(o *load.Options) { o.Records = z.records })
			},
		}}},
		{name: "throughput", warmUp: true, cells: throughputCells(z)},
		{name: "latency", warmUp: true, cells: latencyCells(z)},
		{name: "pinned", warmUp: true, pinned: true, cells: pinnedCells(z)},
		{name: "small", cells: smallCells(z)},
		{name: "many", heavy: true, cells: []cell{{
			name: "partitions10000", about: "10,000 partitions: time to create, memory, restart, latency at 10,000 records/s", within: 6 * time.Minute,
			run: func(ctx context.Context, s *session) (load.Result, error) { return manyPartitions(ctx, s, z) },
		}}},
		{name: "large", heavy: true, cells: []cell{{
			name: "recovery", about: "10 GB in 100 partitions after kill -9: time until it answers", within: 8 * time.Minute,
			run: func(ctx context.Context, s *session) (load.Result, error) { return recover10GB(ctx, s, z) },
		}}},
	}
}

// throughputCells change one setting at a time from 1 KiB, 6 partitions, no
// compression and acks=all.
func throughputCells(z sizes) []cell {
	variant := func(name, about string, records int64, vary func(*load.Options)) cell {
		return cell{name: name, about: "produce and consume: " + about, within: 3 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return realClient.produceConsume(ctx, s, func(o *load.Options) {
				o.Records = records
				vary(o)
			})
		}}
	}
	return []cell{
		variant("base", "1 KiB, 6 partitions, no compression, acks=all", z.records, func(*load.Options) {}),
		variant("size100", "values of 100 B", z.records*4, func(o *load.Options) { o.Size = 100 }),
		variant("size10k", "values of 10 KiB", z.records/10, func(o *load.Options) { o.Size = 10 << 10 }),
		variant("partitions100", "100 partitions", z.records, func(o *load.Options) { o.Partitions = 100 }),
		variant("lz4", "lz4", z.records, func(o *load.Options) { o.Compression = "lz4" }),
		variant("zstd", "zstd", z.records, func(o *load.Options) { o.Compression = "zstd" }),
		variant("acks1", "acks=1", z.records, func(o *load.Options) { o.Acks = "1" }),
		{name: "java", about: "kafka-producer-perf-test and kafka-consumer-perf-test of Kafka, 1 KiB", within: 3 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return javaTools(ctx, s, max(z.records, 1_000_000))
		}},
		{name: "cold", about: "consume what the page cache has forgotten", within: 3 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return realClient.consumeCold(ctx, s, z.records)
		}},
	}
}

// client is the modes of load that make one client.
type client struct{ produce, consume string }

var (
	realClient = client{produce: "produce", consume: "consume"} // franz-go
	rawClient  = client{produce: "raw-produce", consume: "raw-consume"}
)

// produceConsume produces to a new topic, then reads it from the page cache.
func (c client) produceConsume(ctx context.Context, s *session, vary func(*load.Options)) (load.Result, error) {
	b, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	o := s.options(c.produce)
	vary(&o)
	all := load.Result{}
	produced, err := s.load(ctx, o)
	if err != nil {
		return nil, err
	}
	prefixed(all, producePrefix, produced)
	if err := proc.Sync(b.Dir()); err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	o.Mode = c.consume
	consumed, err := s.load(ctx, o)
	prefixed(all, consumePrefix, consumed)
	if err == nil {
		err = s.bySendfile(ctx, o, all, s.load)
	}
	return all, err
}

// consumeCold produces, and then reads what the page cache has forgotten.
func (c client) consumeCold(ctx context.Context, s *session, records int64) (load.Result, error) {
	if _, err := s.ready(ctx); err != nil {
		return nil, err
	}
	o := s.options(c.produce)
	o.Records = records
	if _, err := s.load(ctx, o); err != nil {
		return nil, err
	}
	o.Mode = c.consume
	consumed, err := s.loadCold(ctx, o)
	if err == nil {
		err = s.bySendfile(ctx, o, consumed, s.loadCold)
	}
	return consumed, err
}

// loadCold writes everything to the disk, drops it from the page cache, and then runs
// a load that reads.
func (s *session) loadCold(ctx context.Context, o load.Options) (load.Result, error) {
	if err := proc.Evict(s.broker.Dir()); err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	consumed, err := s.load(ctx, o)
	if err == nil && consumed[load.DiskRead] < consumed[load.MB]/2 {
		err = fmt.Errorf("only %.0f of %.0f MB were read from the disk", consumed[load.DiskRead], consumed[load.MB])
	}
	return consumed, err
}

// latencyCells send at a constant rate.
func latencyCells(z sizes) []cell {
	var cells []cell
	for _, rate := range []int{200, 2000, 20_000} {
		cells = append(cells, cell{
			name: fmt.Sprintf("e2e%d", rate), about: fmt.Sprintf("end to end, %d records of 1 KiB per second, 6 partitions, acks=all", rate), within: 2 * time.Minute,
			run: func(ctx context.Context, s *session) (load.Result, error) {
				return s.atRate(ctx, "e2e", rate, z.latency, 6)
			},
		})
	}
	return append(cells, cell{
		name: "partitions1000", about: "1,000 partitions, to each a record of 1 KiB every 100 ms, acks=all, until answered", within: 2 * time.Minute,
		run: func(ctx context.Context, s *session) (load.Result, error) {
			return s.atRate(ctx, "partitions", 10_000, z.latency, 1000)
		},
	})
}

func (s *session) atRate(ctx context.Context, mode string, rate int, d time.Duration, partitions int) (load.Result, error) {
	if _, err := s.ready(ctx); err != nil {
		return nil, err
	}
	o := s.options(mode)
	o.Rate, o.Time, o.Partitions = rate, d, partitions
	return s.load(ctx, o)
}
