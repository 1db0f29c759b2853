package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/botehq/bote/bench/broker"
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
)

// Names of what only these cells report.
const (
	answeredMS   = "answered_ms"   // from exec to the first answered request
	idleMB       = "idle_rss_mb"   // resident memory some seconds after the start
	createS      = "create_s"      // until all partitions answer
	cleanMS      = "clean_ms"      // start after a clean stop, to the first answer
	cleanServed  = "clean_all_ms"  // likewise, until all partitions answer
	killedMS     = "killed_ms"     // start after kill -9, to the first answer
	killedServed = "killed_all_ms" // likewise, until all partitions answer
	stopS        = "stop_s"        // a clean stop
	partsMB      = "partitions_mb" // resident with all partitions, at rest
	partKB       = "partition_kb"  // growth per partition
	killedCPU    = "killed_cpu_s"  // CPU time of that start
	loadPrefix   = "load_"         // prefix of a load on all partitions
	manyTopics   = 10              // topics that share the partitions
	manyRate     = 10_000          // records per second
	partsOfTopic = "partitions_n"  // how many partitions there were
	settle       = 2 * time.Second // wait before memory is read
	heavyParts   = 100             // partitions in the recovery cell
	recoveredGB  = "recovered_gb"  // how much data there was
	lostRecords  = "lost_records"  // acknowledged records that are missing
)

// smallCells are cells that cost little to measure: start, connections, groups.
func smallCells(z sizes) []cell {
	return []cell{
		{name: "start", about: "exec to first answer with an empty directory, memory when idle", within: 3 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return starts(ctx, s, z)
		}},
		{name: "connections", about: "1,000 idle connections", within: 2 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return s.many(ctx, "connections", z.conns)
		}},
		{name: "groups", about: "5,000 groups of one member that joins and commits", within: 3 * time.Minute, run: func(ctx context.Context, s *session) (load.Result, error) {
			return s.many(ctx, "groups", z.groups)
		}},
	}
}

// starts starts brokers on empty directories and reports the median time. It leaves
// the last one idle and then reads its memory.
func starts(ctx context.Context, s *session, z sizes) (load.Result, error) {
	var took []float64
	var idle proc.Memory
	for i := range z.starts {
		d, memory, err := s.startOnce(ctx, i == z.starts-1, z.idle)
		if err != nil {
			return nil, err
		}
		took, idle = append(took, milliseconds(d)), memory
	}
	slices.Sort(took)
	return load.Result{answeredMS: took[len(took)/2], idleMB: idle.Resident}, nil
}

func (s *session) startOnce(ctx context.Context, last bool, idle time.Duration) (took time.Duration, memory proc.Memory, err error) {
	b, err := s.fresh(ctx)
	if err != nil {
		return 0, proc.Memory{}, err
	}
	defer func() {
		if gone := b.Remove(); err == nil {
			err = gone
		}
	}()
	if took, err = b.Start(ctx); err != nil || !last {
		return took, proc.Memory{}, err //nolint:wrapcheck // says what it did
	}
	if err := pause(ctx, idle); err != nil {
		return 0, proc.Memory{}, err
	}
	memory, err = proc.MemoryOf(b.PID())
	return took, memory, err //nolint:wrapcheck // says what it did
}

func (s *session) many(ctx context.Context, mode string, n int) (load.Result, error) {
	if _, err := s.ready(ctx); err != nil {
		return nil, err
	}
	o := s.options(mode)
	o.Count = n
	return s.load(ctx, o)
}

// manyPartitions creates many partitions, measures a load on all of them, and
// restarts the broker, cleanly and after kill -9. If it fails, it also returns what
// it measured before.
func manyPartitions(ctx context.Context, s *session, z sizes) (load.Result, error) {
	b, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	o := s.options("partitions")
	o.Topics, o.Partitions, o.Rate, o.Time = manyTopics, z.partition/manyTopics, manyRate, z.latency
	r := load.Result{partsOfTopic: float64(z.partition)}
	if err := createMany(ctx, b, o, r); err != nil {
		return r, err
	}
	o.Fresh = false
	loaded, err := s.load(ctx, o)
	if err != nil {
		return r, err
	}
	prefixed(r, loadPrefix, loaded)
	stopped, err := b.Stop(ctx)
	if err != nil {
		return r, err //nolint:wrapcheck // says what it did
	}
	r[stopS] = stopped.Seconds()
	if _, err := s.restart(ctx, b, o, r, cleanMS, cleanServed); err != nil {
		return r, err
	}
	b.Kill()
	_, err = s.restart(ctx, b, o, r, killedMS, killedServed)
	return r, err
}

// createMany creates the topics. It reports how long that took and how much memory
// they need.
func createMany(ctx context.Context, b *broker.Broker, o load.Options, r load.Result) error {
	before, err := proc.MemoryOf(b.PID())
	if err != nil {
		return err //nolint:wrapcheck // says what it did
	}
	began := time.Now()
	if err := load.Create(ctx, o); err != nil {
		return err //nolint:wrapcheck // says what it did
	}
	r[createS] = time.Since(began).Seconds()
	if err := pause(ctx, settle); err != nil {
		return err
	}
	after, err := proc.MemoryOf(b.PID())
	if err != nil {
		return err //nolint:wrapcheck // says what it did
	}
	r[partsMB] = after.Resident
	r[partKB] = (after.Resident - before.Resident) * 1024 / (float64(o.Topics) * float64(o.Partitions))
	return nil
}

// restart starts a broker that has data. It reports how long the broker took to
// answer first, and until all partitions answered, and returns how many records
// there are.
func (s *session) restart(ctx context.Context, b *broker.Broker, o load.Options, r load.Result, answered, served string) (int64, error) {
	if err := proc.Sync(b.Dir()); err != nil { // earlier writes must not keep the disk busy
		return 0, err //nolint:wrapcheck // says what it did
	}
	began := time.Now()
	took, err := b.Start(ctx)
	if err != nil {
		return 0, err //nolint:wrapcheck // says what it did
	}
	r[answered] = milliseconds(took)
	records, err := load.Served(ctx, o)
	if err != nil {
		return 0, err //nolint:wrapcheck // says what it did
	}
	r[served] = milliseconds(time.Since(began))
	return records, nil
}

// recover10GB fills 100 partitions, kills the broker, and starts it again.
// Everything that was acknowledged must be there.
func recover10GB(ctx context.Context, s *session, z sizes) (load.Result, error) {
	b, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	o := s.options("produce")
	o.Partitions, o.Records = heavyParts, z.gigabytes*1_000_000_000/int64(o.Size)
	if _, err := s.load(ctx, o); err != nil {
		return nil, err
	}
	b.Kill()
	r := load.Result{recoveredGB: float64(z.gigabytes)}
	records, err := s.restart(ctx, b, o, r, killedMS, killedServed)
	if err != nil {
		return r, err
	}
	if r[killedCPU], err = proc.CPUSeconds(b.PID()); err != nil {
		return r, err //nolint:wrapcheck // says what it did
	}
	r[lostRecords] = float64(o.Records - records)
	if records < o.Records {
		return r, fmt.Errorf("%d of %d acknowledged records are gone", o.Records-records, o.Records)
	}
	return r, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pause waits for a time that is part of the measurement.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
