package main

import (
	"context"
	"time"

	"github.com/botehq/bote/bench/load"
)

// sendfilePrefix is of the bare program's second way to answer fetches.
const sendfilePrefix = "sendfile_"

// pinnedCells give the broker one core and the client another. The raw client needs
// little of its own, so the broker is what is measured.
func pinnedCells(z sizes) []cell {
	return []cell{
		{name: "pinned-raw", about: "a core each, raw client: produce and consume 1 KiB, 6 partitions, acks=all", within: 5 * time.Minute, raw: true, run: func(ctx context.Context, s *session) (load.Result, error) {
			return pinnedRaw(ctx, s, z.raw)
		}},
		{name: "pinned-partitions100", about: "the same with 100 partitions", within: 5 * time.Minute, raw: true, run: func(ctx context.Context, s *session) (load.Result, error) {
			return rawClient.produceConsume(ctx, s, func(o *load.Options) { o.Records, o.Partitions = z.raw/2, 100 })
		}},
		{name: "pinned-cold", about: "a core each, raw client: consume what the page cache has forgotten", within: 5 * time.Minute, raw: true, run: func(ctx context.Context, s *session) (load.Result, error) {
			return rawClient.consumeCold(ctx, s, z.raw/2)
		}},
		{name: "pinned-e2e2000", about: "a core each: end to end, 2,000 records of 1 KiB per second, 6 partitions, acks=all", within: 2 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return s.atRate(ctx, "e2e", 2000, z.latency, 6)
		}},
	}
}

// pinnedRaw produces and consumes. The bare program also sends the same files by
// sendfile.
func pinnedRaw(ctx context.Context, s *session, records int64) (load.Result, error) {
	var o load.Options
	all, err := rawClient.produceConsume(ctx, s, func(used *load.Options) {
		used.Records = records
		o = *used
	})
	if err != nil || !s.column.bare() {
		return all, err
	}
	o.Mode, o.Bootstrap = rawClient.consume, s.broker.SecondAddress()
	sent, err := s.load(ctx, o)
	prefixed(all, sendfilePrefix, sent)
	return all, err
}
