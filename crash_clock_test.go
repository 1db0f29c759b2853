package bote

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// jumpy is a broker whose wall clock can be set, with a client that writes to it.
type jumpy struct {
	t      *testing.T
	dir    string
	ahead  atomic.Int64 // of the real time
	broker *Broker
	served chan error
	client *kgo.Client
	admin  *kadm.Client
	wrote  []string // values written to the topic keep, by offset
	swept  int      // number of records written to the topic sweep
}

const day = 24 * time.Hour

func (j *jumpy) now() time.Time { return time.Now().Add(time.Duration(j.ahead.Load())) }

func (j *jumpy) open() {
	j.t.Helper()
	var err error
	j.broker, err = Open(j.t.Context(), Config{DataDir: j.dir, Listen: "127.0.0.1:0", now: j.now, Properties: map[string]string{
		"log.retention.check.interval.ms": "20", "offsets.retention.check.interval.ms": "20", "offsets.topic.num.partitions": "1",
		"log.segment.bytes": "1048576", "log.segment.delete.delay.ms": "0",
	}})
	require.NoError(j.t, err)
	j.served = make(chan error, 1)
	go func() { j.served <- j.broker.Serve(context.Background()) }()
	j.client, err = kgo.NewClient(kgo.SeedBrokers(j.broker.Addr()), kgo.MetadataMinAge(10*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(j.t, err)
	j.admin = kadm.NewClient(j.client)
}

func (j *jumpy) close() {
	j.t.Helper()
	j.client.Close()
	require.NoError(j.t, j.broker.Close())
	require.NoError(j.t, <-j.served)
}

// write adds records to the topic keep, stamped by the broker's clock, and commits an
// offset of a group that has no members.
func (j *jumpy) write(n int, commit int64) {
	j.t.Helper()
	for range n {
		value := fmt.Sprintf("value %d %s", len(j.wrote), bytes.Repeat([]byte("."), 100_000))
		r, err := j.client.ProduceSync(j.t.Context(), &kgo.Record{Topic: "keep", Value: []byte(value), Timestamp: j.now()}).First()
		require.NoError(j.t, err)
		require.Equal(j.t, int64(len(j.wrote)), r.Offset, "offsets go on, whatever the clock says")
		j.wrote = append(j.wrote, value)
	}
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: "keep", At: commit, LeaderEpoch: -1})
	require.NoError(j.t, j.admin.CommitAllOffsets(j.t.Context(), "readers", offsets))
}

// sweep waits until retention has run: it writes a record that is too old by the
// broker's clock, and waits until it is deleted.
func (j *jumpy) sweep() {
	j.t.Helper()
	_, err := j.client.ProduceSync(j.t.Context(), &kgo.Record{Topic: "sweep", Value: []byte("v"), Timestamp: j.now().Add(-time.Hour)}).First()
	require.NoError(j.t, err)
	j.swept++
	j.until("retention did not run", func() bool {
		starts, err := j.admin.ListStartOffsets(j.t.Context(), "sweep")
		require.NoError(j.t, err)
		o, ok := starts.Lookup("sweep", 0)
		return ok && o.Offset == int64(j.swept)
	})
}

func (j *jumpy) until(otherwise string, done func() bool) {
	j.t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			j.t.Fatal(otherwise)
		}
	}
}

// check reads everything that was written to the topic keep.
func (j *jumpy) check() {
	j.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(j.broker.Addr()), kgo.ConsumeTopics("keep"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(j.t, err)
	defer client.Close()
	for next := 0; next < len(j.wrote); {
		fetches := client.PollFetches(j.t.Context())
		require.NoError(j.t, fetches.Err())
		for _, r := range fetches.Records() {
			require.Equal(j.t, int64(next), r.Offset)
			if j.wrote[next] != string(r.Value) { // the values are too long to be shown
				j.t.Fatalf("another value at offset %d", next)
			}
			next++
		}
	}
}

// committed returns the group's committed offset, or -1 if there is none.
func (j *jumpy) committed() int64 {
	j.t.Helper()
	resp, err := j.admin.FetchOffsets(j.t.Context(), "readers")
	require.NoError(j.t, err)
	o, ok := resp.Lookup("keep", 0)
	if !ok {
		return -1
	}
	return o.At
}

// TestClockJumps sets the clock a day ahead and then a year back, while retention and
// the expiry of offsets run every few milliseconds. Records within their retention
// stay, and so do the group's offsets, until the clock is eight days ahead, past
// their retention.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	j := &jumpy{t: t, dir: t.TempDir()}
	j.open()
	for name, configs := range map[string]map[string]*string{
		"keep": nil, "half": {"retention.ms": new("43200000")}, "sweep": {"retention.ms": new("1000")},
		"stamped": {"message.timestamp.type": new("LogAppendTime")},
	} {
		_, err := j.admin.CreateTopic(t.Context(), 1, 1, configs, name)
		require.NoError(t, err)
	}
	_, err := j.client.ProduceSync(t.Context(), &kgo.Record{Topic: "half", Value: []byte("v")}).First()
	require.NoError(t, err)
	j.write(25, 10)
	j.sweep()
	j.check()

	j.ahead.Store(int64(day))
	j.sweep()
	j.until("half a day of retention is over", func() bool {
		starts, err := j.admin.ListStartOffsets(t.Context(), "half")
		require.NoError(t, err)
		o, _ := starts.Lookup("half", 0)
		return o.Offset == 1
	})
	require.Equal(t, int64(10), j.committed())
	j.write(25, 20)
	j.sweep()
	j.check()

	j.ahead.Store(-int64(365 * day))
	j.sweep()
	require.Equal(t, int64(20), j.committed(), "a commit of the future has not expired")
	_, err = j.client.ProduceSync(t.Context(), &kgo.Record{Topic: "keep", Value: []byte("v")}).First()
	require.ErrorIs(t, err, kerr.InvalidTimestamp, "a year ahead of the broker is more than message.timestamp.after.max.ms")
	j.stamped()
	j.write(25, 30)
	j.sweep()
	j.check()
	require.Equal(t, int64(30), j.committed())

	j.close()
	j.open()
	defer j.close()
	j.check()
	require.Equal(t, int64(30), j.committed())

	j.ahead.Store(0)
	j.write(25, 40)
	j.sweep()
	j.check()
	require.Equal(t, int64(40), j.committed())

	j.ahead.Store(int64(8 * day))
	j.until("offsets of an empty group stay for seven days", func() bool { return j.committed() == -1 })
	j.write(1, 50)
}

// stamped checks that the broker's clock stamps the records of a topic with
// LogAppendTime.
func (j *jumpy) stamped() {
	j.t.Helper()
	before := j.now().Truncate(time.Millisecond)
	_, err := j.client.ProduceSync(j.t.Context(), &kgo.Record{Topic: "stamped", Value: []byte("v")}).First()
	require.NoError(j.t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(j.broker.Addr()), kgo.ConsumeTopics("stamped"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(j.t, err)
	defer client.Close()
	fetches := client.PollFetches(j.t.Context())
	require.NoError(j.t, fetches.Err())
	require.WithinRange(j.t, fetches.Records()[0].Timestamp, before, j.now())
}
