package main

import (
	"context"
	"time"

	"github.com/botehq/bote/bench/load"
)

// sendfilePrefix begins the names of the values that are measured when the bare program
// answers fetches by sendfile.
const sendfilePrefix = "sendfile_"

// pinnedCells give the broker one core and the client another. All but pinned-e2e2000 use
// the raw client. It needs little of its core, so the broker is what is measured.
func pinnedCells(z sizes) []cell {
	return []cell{
		{name: "pinned-raw", about: "a core each, raw client: produce and consume 1 KiB, 6 partitions, acks=all", within: 5 * time.Minute, raw: true, run: func(ctx context.Context, s *session) (load.Result, error) {
			return rawClient.produceConsume(ctx, s, func(o *load.Options) { o.Records = z.raw })
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

// bySendfile reads the topic of the options again from the bare program, which now sends
// the files by sendfile. For a broker it does nothing.
func (s *session) bySendfile(ctx context.Context, o load.Options, all load.Result, read func(context.Context, load.Options) (load.Result, error)) error {
	if !s.column.bare() {
		return nil
	}
	o.Bootstrap = s.broker.SecondAddress()
	sent, err := read(ctx, o)
	prefixed(all, sendfilePrefix, sent)
	return err
}

// rawWarmUp is how many records warm up a pinned broker, besides those that warm up
// every broker. With one core, Java's virtual machine compiles the broker's code later.
const rawWarmUp = 1_000_000

// warmRaw makes a pinned broker do what will be measured.
func (s *session) warmRaw(ctx context.Context) error {
	o := s.options(rawClient.produce)
	o.Records = rawWarmUp
	if _, err := s.load(ctx, o); err != nil {
		return err
	}
	o.Mode = rawClient.consume
	_, err := s.load(ctx, o)
	return err
}
