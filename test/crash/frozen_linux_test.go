package crash_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFrozenDisk freezes the file system under the broker, so that every write to it
// hangs and none fails. Only requests that need the disk wait: a producer is answered
// when its time is over, what is in memory can be read, groups and metadata are served
// as before, and /readyz reports the trouble within a second. What was acknowledged is
// there afterwards.
func TestFrozenDisk(t *testing.T) {
	disk := newDisk(t)
	d := newDaemon(t, filepath.Join(disk.dir, "data"))
	console := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	text, err := os.ReadFile(d.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.config, append(text, "console.listeners="+console+"\n"...), 0o600))
	d.start(t)

	setup := dialPlain(t, d.addr)
	setup.create("cold", 1)
	setup.create("warm", 1)
	for range 20 {
		setup.produce("warm", 1)
	}
	group := groupMember(t, d.addr)
	require.Equal(t, http.StatusOK, ready(t, console))

	disk.must("fsfreeze", "-f", disk.dir)
	thawed := false
	thaw := func() {
		if !thawed {
			disk.must("fsfreeze", "-u", disk.dir)
			thawed = true
		}
	}
	defer thaw()
	began := time.Now()
	producer := dialPlain(t, d.addr)
	answered := producer.startProducing("cold", 2*time.Second)

	took := map[string][]time.Duration{}
	measure := func(what string, f func()) {
		at := time.Now()
		f()
		took[what] = append(took[what], time.Since(at))
	}
	reader, other := dialPlain(t, d.addr), dialPlain(t, d.addr)
	for range 100 {
		measure("fetch from memory", func() { require.Len(t, fetchAll(reader, "warm"), 20) })
		measure("metadata", func() {
			req := kmsg.NewPtrMetadataRequest()
			req.SetVersion(9)
			require.Len(t, other.ask(req).(*kmsg.MetadataResponse).Topics, 3)
		})
		measure("heartbeat", group)
	}
	measure("readyz", func() { require.Equal(t, http.StatusServiceUnavailable, ready(t, console)) })
	result := answered()
	require.Equal(t, kerr.RequestTimedOut.Code, result.code)
	require.Less(t, result.took, 10*time.Second)
	for what, list := range took {
		slices.Sort(list)
		require.Less(t, list[len(list)-1], 2*time.Second, "%s waited for the disk", what)
		t.Logf("frozen for %s: %s: median %s, longest %s", time.Since(began).Round(time.Millisecond), what, list[len(list)/2], list[len(list)-1])
	}
	t.Logf("produce with a timeout of 2 s: %s after %s", kerr.ErrorForCode(result.code), result.took)

	thaw()
	require.Eventually(t, func() bool { return ready(t, console) == http.StatusOK }, 30*time.Second, 10*time.Millisecond)
	again := dialPlain(t, d.addr)
	again.produce("cold", 1)
	require.Len(t, fetchAll(again, "warm"), 20)
	require.NotEmpty(t, fetchAll(again, "cold"))
}

type produceResult struct {
	code int16
	took time.Duration
}

// startProducing sends a record and returns a function that waits for the answer.
func (c *plainConn) startProducing(topic string, timeout time.Duration) func() produceResult {
	c.t.Helper()
	req, rt, rp := kmsg.NewPtrProduceRequest(), kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	req.Acks, req.TimeoutMillis = -1, int32(timeout.Milliseconds())
	req.SetVersion(9)
	rt.Topic, rp.Records = topic, batch([]byte("x"))
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	began := time.Now()
	arrived := make(chan time.Time, 1)
	c.send(req)
	go func() {
		_, _ = c.in.Peek(1) // bytes, or an error, are read below
		arrived <- time.Now()
	}()
	return func() produceResult {
		c.t.Helper()
		took := (<-arrived).Sub(began)
		return produceResult{c.receive(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, took}
	}
}

// fetchAll reads a topic's partition 0 from its start and returns its batches' offsets.
func fetchAll(c *plainConn, topic string) (offsets []int64) {
	c.t.Helper()
	req, rt, rp := kmsg.NewPtrFetchRequest(), kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	req.MaxBytes, req.MaxWaitMillis = 1<<20, 100
	req.SetVersion(11)
	rt.Topic, rp.PartitionMaxBytes = topic, 1<<20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	got := c.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	require.NoError(c.t, kerr.ErrorForCode(got.ErrorCode))
	for data := got.RecordBatches; len(data) > 0; {
		var b kmsg.RecordBatch
		require.NoError(c.t, b.ReadFrom(data))
		offsets = append(offsets, b.FirstOffset)
		data = data[12+int(b.Length):]
	}
	return offsets
}

// groupMember joins a group and returns a function that sends a heartbeat.
func groupMember(t *testing.T, addr string) func() {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	join, p := kmsg.NewPtrJoinGroupRequest(), kmsg.NewJoinGroupRequestProtocol()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "g", "consumer", 60_000, 60_000
	p.Name = "range"
	join.Protocols = append(join.Protocols, p)
	resp, err := join.RequestWith(ctx, client)
	require.NoError(t, err)
	if resp.ErrorCode == kerr.MemberIDRequired.Code {
		join.MemberID = resp.MemberID
		resp, err = join.RequestWith(ctx, client)
		require.NoError(t, err)
	}
	require.NoError(t, kerr.ErrorForCode(resp.ErrorCode))
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation, sync.ProtocolType, sync.Protocol = "g", resp.MemberID, resp.Generation, new("consumer"), new("range")
	synced, err := sync.RequestWith(ctx, client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(synced.ErrorCode))
	return func() {
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID, beat.Generation = "g", resp.MemberID, resp.Generation
		answer, err := beat.RequestWith(t.Context(), client)
		require.NoError(t, err)
		require.NoError(t, kerr.ErrorForCode(answer.ErrorCode))
	}
}

func ready(t *testing.T, console string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+console+"/readyz", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}
