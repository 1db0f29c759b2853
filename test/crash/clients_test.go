package crash_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const (
	topic      = "history"
	partitions = 4
)

// patient adds the options of clients that come back soon after a restart.
func patient(addr string, opts ...kgo.Opt) []kgo.Opt {
	return append(opts, kgo.SeedBrokers(addr), kgo.MetadataMinAge(20*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
}

// produce writes unique values, some every few milliseconds, until stop is closed. Then it
// waits until all are answered. It also ends when ctx does.
func (h *history) produce(ctx context.Context, stop <-chan struct{}, addr string, number int32, opts ...kgo.Opt) error {
	client, err := kgo.NewClient(patient(addr, append(opts, kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(500), kgo.ProducerLinger(0))...)...)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer client.Close()
	h.mu.Lock()
	name := h.a.producers[number].name
	h.mu.Unlock()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-stop:
			open = false
		case <-ctx.Done():
			open = false
		case <-tick.C:
			n := 1 + rand.IntN(10)
			first := h.send(number, n)
			for seq := first; seq < first+int32(n); seq++ {
				client.Produce(ctx, &kgo.Record{Partition: seq % partitions, Value: value(name, seq)}, func(r *kgo.Record, err error) {
					if err == nil {
						h.acked(number, seq, r.Offset)
					}
				})
			}
		}
	}
	flush, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := client.Flush(flush); err != nil {
		return fmt.Errorf("%s: flush: %w", name, err)
	}
	return nil
}

// follow reads in a group and commits what it read until ctx ends. It records both.
func (h *history) follow(ctx context.Context, addr string, number int, group string) error {
	client, err := kgo.NewClient(patient(addr, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond),
		// A commit that was given up while the broker was stopped could take effect after a
		// later one.
		kgo.RequestTimeoutOverhead(3*time.Minute))...)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer client.CloseAllowingRebalance()
	read := h.reader()
	for ctx.Err() == nil {
		records := client.PollFetches(ctx).Records()
		for _, r := range records {
			h.saw(number, int(r.Partition), read.entry(r.Offset, r.Value))
		}
		if len(records) == 0 || client.CommitRecords(ctx, records...) != nil {
			continue
		}
		for _, r := range records {
			h.committed(group, int(r.Partition), r.Offset+1)
		}
	}
	return nil
}

// observe asks for the committed offsets of a group until the coordinator has loaded. It
// records them with what had been acknowledged before.
func (h *history) observe(ctx context.Context, client *kgo.Client, group string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	floor := h.floor(group)
	for {
		resp, err := kadm.NewClient(client).FetchOffsets(ctx, group)
		if err == nil {
			err = resp.Error()
		}
		if err == nil {
			for p, low := range floor {
				if o, ok := resp.Lookup(topic, int32(p)); ok || low > 0 {
					h.observed(observation{group: group, partition: p, floor: low, found: o.At})
				}
			}
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("committed offsets of %s", group), err, ctx.Err())
		}
	}
}

// readAll reads the topic from the start to the end.
func (h *history) readAll(ctx context.Context, addr string) ([][]entry, error) {
	from := map[int32]kgo.Offset{}
	for p := range h.a.partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(patient(addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ends, err := endOffsets(ctx, client)
	if err != nil {
		return nil, err
	}
	read, log := h.reader(), make([][]entry, h.a.partitions)
	done := func(p int) bool {
		n := len(log[p])
		return n == 0 && ends[p] == 0 || n > 0 && log[p][n-1].offset >= ends[p]-1
	}
	for p := range log {
		for !done(p) {
			fetches := client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return nil, fmt.Errorf("read to offset %d of partition %d: %w", ends[p], p, err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				log[r.Partition] = append(log[r.Partition], read.entry(r.Offset, r.Value))
			})
		}
	}
	return log, nil
}

func endOffsets(ctx context.Context, client *kgo.Client) ([]int64, error) {
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	ends := make([]int64, partitions)
	for p := range ends {
		o, ok := listed.Lookup(topic, int32(p))
		if !ok {
			return nil, fmt.Errorf("no end offset of partition %d", p)
		}
		if o.Err != nil {
			return nil, fmt.Errorf("end offset of partition %d: %w", p, o.Err)
		}
		ends[p] = o.Offset
	}
	return ends, nil
}

// prober finds out, during a fault, whether the broker accepts and returns records.
type prober struct {
	h      *history
	number int32
	name   string
	client *kgo.Client
}

func newProber(t *testing.T, h *history, addr string) *prober {
	t.Helper()
	client, err := kgo.NewClient(patient(addr, kgo.MaxVersions(kversion.V3_0_0()))...) // requests name topics, not IDs
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &prober{h: h, number: h.producer("probe", false), name: "probe", client: client}
}

// untilRefused writes until each partition has answered KAFKA_STORAGE_ERROR, the only
// error that is allowed, and returns how many such answers there were. It sends its own
// requests, since a client might retry.
func (p *prober) untilRefused(t *testing.T) (refused int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	full, broken := make([]bool, partitions), 0
	for slices.Contains(full, false) {
		first := p.h.send(p.number, partitions)
		for seq := first; seq < first+partitions; seq++ {
			offset, err := p.put(ctx, seq%partitions, value(p.name, seq))
			if err == nil {
				p.h.acked(p.number, seq, offset)
				continue
			}
			if broken < 2 && errors.Is(err, io.EOF) { // a connection to the previous process
				broken++
				continue
			}
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			full[seq%partitions] = true
			refused++
		}
	}
	return refused
}

// put writes one record with one request.
func (p *prober) put(ctx context.Context, partition int32, value []byte) (int64, error) {
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, batch(value)
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, part)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 60_000, append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, p.client.Broker(1))
	if err != nil {
		return 0, fmt.Errorf("produce: %w", err)
	}
	got := resp.Topics[0].Partitions[0]
	return got.BaseOffset, kerr.ErrorForCode(got.ErrorCode)
}

// batch is a record batch of one value.
func batch(value []byte) []byte {
	now := time.Now().UnixMilli()
	r := kmsg.NewRecord()
	r.Value = value
	r.Length = int32(len(r.AppendTo(nil)) - 1) // without the length, which is one byte while it is 0
	b := kmsg.NewRecordBatch()
	b.Magic, b.FirstTimestamp, b.MaxTimestamp, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 2, now, now, -1, -1, -1
	b.NumRecords, b.Records = 1, r.AppendTo(nil)
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// reads reads the first records of every partition that has any.
func (p *prober) reads(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := endOffsets(ctx, p.client)
	require.NoError(t, err)
	for i, end := range ends {
		if end == 0 {
			continue
		}
		client, err := kgo.NewClient(patient(addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {int32(i): kgo.NewOffset().AtStart()}}))...)
		require.NoError(t, err)
		fetches := client.PollFetches(ctx)
		client.Close()
		require.NoError(t, fetches.Err(), "partition %d cannot be read during the fault", i)
		require.NotZero(t, fetches.NumRecords())
	}
}
